-- Periodic jobs that others ask to run: how many have asked since the last run ended, and until when it rests.
-- An earlier release neither asks nor rests, and moves run_at as before.
alter table jobs add column wanted bigint not null default 0;
alter table jobs add column rests_until bigint not null default 0;
