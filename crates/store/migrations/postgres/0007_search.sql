-- What searches and statistics go by, beside the counts.

-- Orders by their common name, the newest first: by ordinal, as they are listed.
create index orders_by_name on orders (reseller_id, common_name, ordinal);
drop index orders_of_name;

create index orders_by_organization on orders (reseller_id, organization_id, ordinal)
    where organization_id is not null;

-- How many of a reseller's orders are in their term, which ends on a day: days since 1970, UTC.
create table order_ends (
    reseller_id bigint not null,
    day bigint not null,
    n bigint not null,
    primary key (reseller_id, day)
);
insert into order_ends (reseller_id, day, n)
    select reseller_id, expires_at / 86400000000, count(*) from orders
    where stage in ('active', 'reissuing', 'lapsed', 'revoked') and expires_at is not null
    group by 1, 2;

-- The common names of 2^6 orders in the order of their ordinals, one a line. Written once.
create table name_blocks (
    reseller_id bigint not null,
    block bigint not null,
    names text not null,
    unique (reseller_id, block)
);

-- Which of 2^17 orders have which three letters in their common names. Written once.
create table name_postings (
    reseller_id bigint not null,
    page bigint not null,
    segment bigint not null,
    postings bytea not null,
    unique (reseller_id, page, segment)
);

-- How many blocks and segments of a reseller's there are, from the first on.
create table name_indexes (
    reseller_id bigint primary key,
    blocks bigint not null,
    segments bigint not null
);
