-- The words of each message, by its seq: tokens of our own (relay/store/words.h), separated by blanks, so the tokenizer
-- has nothing left to decide. Two more tokens stand for its sender and its recipient: what one agent sent and was sent is
-- found by them. Expired messages are not in it.
create virtual table message_words using fts5 (words, detail = 'none', columnsize = 0, tokenize = 'ascii');
