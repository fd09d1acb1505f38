-- Prices a reseller has of its own, in the place of the catalogue's. Rows are only ever added: of those whose
-- time has come, the one from the latest date counts. One without amounts gives way to the catalogue again.
create table own_prices (
    id integer primary key,
    reseller_id integer not null references resellers (id),
    product_key text not null,
    term_years integer not null,
    currency text not null,
    base integer check (base >= 0),
    name integer check (name >= 0),
    wildcard integer check (wildcard >= 0),
    valid_from integer not null,
    created_at integer not null,
    check ((base is null) = (name is null) and (base is null) = (wildcard is null))
) strict;
create index own_prices_of_reseller on own_prices (reseller_id, product_key);
