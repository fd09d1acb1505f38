-- Who may call, from where, how often.

-- A credential that was there before may do everything, from everywhere.
alter table credentials add column scope text not null default 'money';
alter table credentials add column allowed text not null default '[]';

-- The calls of a subject, which is a credential or a reseller, in a period, which is a day or a month (UTC).
create table call_counts (
    subject text not null,
    period text not null,
    calls integer not null,
    ends_at integer not null,
    primary key (subject, period)
) strict;
create index call_counts_by_end on call_counts (ends_at);
