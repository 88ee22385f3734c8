-- Whether content is sealed (relay/store/store_cipher.h); its words are not kept then.
alter table agent_messages add column encrypted integer not null default 0;
