-- What operators set for resellers, and what operators did.

-- One JSON object; a setting that is absent has its default.
alter table resellers add column settings text not null default '{}';
alter table resellers add column version integer not null default 1;

create table operator_acts (
    id integer primary key,
    at integer not null,
    operator text not null,
    kind text not null,
    subject text not null,
    reseller_id integer,
    detail text
) strict;
create index operator_acts_of_reseller on operator_acts (reseller_id, id);
