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

insert into sequences (name, next) values ('organization', 1);
