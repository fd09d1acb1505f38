-- Which programs a credential is for.

-- All that were there before are names and passwords.
alter table credentials add column kind text not null default 'webnic';

-- Numbers for those who sign in with one. They are not those of resellers, so that neither is taken for the other.
insert into sequences (name, next) values ('auth-user', 500001);
