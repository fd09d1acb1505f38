-- Organizations and their vetting.

-- identity is the SHA-256 of what two descriptions of one organization have in common; name_folded is its
-- name as searches compare it.
create table organizations (
    id integer primary key,
    reseller_id integer not null references resellers (id),
    identity blob not null,
    name_folded text not null,
    country text not null,
    details text not null,
    technical_id integer,
    edition integer not null,
    created_at integer not null,
    modified_at integer not null,
    version integer not null,
    unique (reseller_id, identity)
) strict;
create index organizations_of_reseller on organizations (reseller_id, id);

-- What was to be vetted, as it was then.
create table organization_editions (
    organization_id integer not null references organizations (id),
    edition integer not null,
    facts text not null,
    created_at integer not null,
    primary key (organization_id, edition)
) strict;

-- The vetting of an edition. decided_by, evidence_from and registration are of an approval, reason of a
-- rejection.
create table vetting_cases (
    id integer primary key,
    organization_id integer not null,
    reseller_id integer not null,
    edition integer not null,
    kind text not null,
    state text not null,
    opened_at integer not null,
    decided_at integer,
    decided_by text,
    evidence_from integer,
    registration text,
    reason text,
    version integer not null,
    foreign key (organization_id, edition) references organization_editions (organization_id, edition)
) strict;
create index vetting_cases_of_organization on vetting_cases (organization_id, id);
-- Whoever asks twice at once, there is one case to work on.
create unique index vetting_one_open_case on vetting_cases (organization_id, edition, kind)
    where state = 'open';

-- What was found, by whom; append-only.
create table vetting_evidence (
    id integer primary key,
    case_id integer not null references vetting_cases (id),
    item text not null,
    source text not null,
    reference text,
    text text,
    registration text,
    collected_by text not null,
    obtained_at integer not null,
    recorded_at integer not null,
    file_name text,
    file_size integer,
    file_sha256 blob,
    file blob
) strict;
create index vetting_evidence_of_case on vetting_evidence (case_id, id);

-- Who did what when; append-only.
create table organization_events (
    id integer primary key,
    organization_id integer not null references organizations (id),
    case_id integer,
    at integer not null,
    actor text not null,
    operator text,
    kind text not null,
    detail text
) strict;
create index organization_events_of_organization on organization_events (organization_id, id);

-- How thoroughly an order's organization is vetted.
alter table orders add column vetting_kind text;
create index orders_of_organization on orders (organization_id) where organization_id is not null;

insert into sequences (name, next) values ('organization', 1);
