-- Customers, and contacts that belong to them.

-- A reseller itself is the customer of its id; only that one may be without username and profile.
create table customers (
    id bigint primary key,
    reseller_id bigint not null references resellers (id),
    username text,
    profile text,
    -- Argon2id, in PHC string format; the temporary one is good until a time, beside the other.
    password text,
    temporary_password text,
    temporary_until bigint,
    created_at bigint not null,
    modified_at bigint not null,
    deleted_at bigint,
    -- Then nothing is left of it but these times and its history.
    erased_at bigint,
    version bigint not null
);
create index customers_of_reseller on customers (reseller_id, id);
create unique index customers_of_username on customers (reseller_id, username) where deleted_at is null;
insert into customers (id, reseller_id, created_at, modified_at, version)
    select id, id, created_at, created_at, 1 from resellers;
insert into sequences (name, next) values ('customer', 10000001);

create table customer_events (
    id bigint primary key,
    customer_id bigint not null,
    at bigint not null,
    actor text not null,
    kind text not null,
    detail text
);
create index customer_events_of_customer on customer_events (customer_id, id);

-- What a customer's user shows to prove who they are, for a short while.
create table customer_tokens (
    token_hash bytea primary key,
    customer_id bigint not null references customers (id),
    address text not null,
    created_at bigint not null,
    expires_at bigint not null
);
create index customer_tokens_of_customer on customer_tokens (customer_id);
create index customer_tokens_by_end on customer_tokens (expires_at);

-- Messages with a password for a while. The sealed password is wiped once it is sent or void.
create table password_mails (
    id bigint primary key,
    customer_id bigint not null references customers (id),
    sealed_password bytea not null,
    message_id text not null,
    created_at bigint not null,
    expires_at bigint not null
);
create index password_mails_of_customer on password_mails (customer_id, created_at);
create index password_mails_by_age on password_mails (created_at);

-- Contacts of before are of the type that serves for all, and belong to the reseller itself, which 0 stands for:
-- to write another number would write the whole table anew. Whatever indexes them puts the number in.
alter table contacts add column customer_id bigint not null default 0;
alter table contacts add column kind text not null default 'Contact';
alter table contacts add column attributes text not null default '{}';
alter table contacts add column version bigint not null default 1;
alter table contacts add column erased_at bigint;
-- Whether searches find it by its texts; those of before are indexed behind the scenes.
alter table contacts add column is_indexed bigint not null default 0;
create index contacts_of_customer on contacts (customer_id, id, kind) where deleted_at is null;
create index contacts_deleted on contacts (customer_id, id, kind) where deleted_at is not null;
create index contacts_to_index on contacts (id) where is_indexed = 0;

-- Who deletes a contact looks here, while others wait.
create index organizations_of_contact on organizations (technical_id) where technical_id is not null;

create table contact_events (
    id bigint primary key,
    contact_id bigint not null,
    at bigint not null,
    actor text not null,
    kind text not null,
    detail text
);
create index contact_events_of_contact on contact_events (contact_id, id);

-- Whom a customer's orders name if nobody is named, by type. Null: there is no such role there.
create table contact_defaults (
    customer_id bigint not null references customers (id),
    kind text not null,
    registrant_id bigint,
    administrator_id bigint,
    technical_id bigint,
    billing_id bigint,
    primary key (customer_id, kind)
);

-- What people are found by: folded texts, each from the beginning of a word on. The owner is a customer for
-- fields of contacts, and a reseller for fields of customers.
create table search_texts (
    owner_id bigint not null,
    field text not null,
    text text collate "C" not null,
    subject_id bigint not null,
    primary key (owner_id, field, text, subject_id)
);

-- Jobs that gave up.
create index jobs_parked on jobs (parked_at) where parked_at is not null;
