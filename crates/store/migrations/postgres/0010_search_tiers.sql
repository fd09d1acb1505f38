-- Searches among very many orders: counts at a middle level, and lists of names that are merged.

-- Counts by stretches of 2^15 ordinals, between those there are.
insert into order_counts (reseller_id, level, bucket, product_key, stage, n)
    select reseller_id, 15, bucket >> 5, product_key, stage, sum(n) from order_counts
    where level = 10 group by 1, 3, 4, 5;

-- The common names of 2^6 orders as before. The id is that of the reseller, shifted by 32 bits, plus the number of
-- the block: rows are read by ranges and by lists.
alter table name_blocks rename to name_blocks_before;
create table name_blocks (
    id bigint primary key,
    names text not null
);
insert into name_blocks (id, names)
    select (reseller_id << 32) + block, names from name_blocks_before order by 1;
drop table name_blocks_before;

-- Which of 2^tier orders have which three letters in their common names. The lists are made anew, from the blocks.
drop table name_postings;
create table name_postings (
    reseller_id bigint not null,
    tier bigint not null,
    page bigint not null,
    segment bigint not null,
    postings bytea not null,
    unique (reseller_id, tier, page, segment)
);

-- How many blocks, and segments of the smaller and the larger tier, of a reseller's were written, from the first on.
alter table name_indexes add column merged bigint not null default 0;
update name_indexes set segments = 0;
