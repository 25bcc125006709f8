drop table challenges;
drop table passkeys;
