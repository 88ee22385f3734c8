-- The words of each message, by its seq: tokens of our own (relay/store/words.h), separated by blanks, so the tokenizer
-- has nothing left to decide. Two more tokens name the parties, that a search reads its caller's messages only.
create virtual table message_words using fts5 (words, detail = 'none', columnsize = 0, tokenize = 'ascii');
