//! Change sets: all or nothing, each by itself, whatever is applied beside it.

use chancery_store::{Change, Failure, StoreError, Value, values};
use futures_util::future::join_all;

use crate::bed::{Bed, on_both_engines};

on_both_engines!(
    a_set_is_applied_wholly_or_not_at_all,
    a_failing_set_of_a_group_fails_alone,
    a_wrong_number_of_rows_is_the_failure_named,
    a_violated_key_or_check_is_the_failure_named,
    a_violated_key_without_expectation_is_an_error,
    rows_of_queries_come_back_in_order,
    every_kind_of_value_comes_back_as_it_went,
    a_value_of_the_wrong_kind_applies_nothing,
    a_missing_value_applies_nothing,
    broken_sql_fails_alone,
    no_balance_is_spent_twice,
    sets_that_cross_each_other_all_succeed,
    a_long_group_is_applied_in_parts,
    merged_sets_are_one,
    a_scan_reads_what_a_query_reads,
);

const PUT: &str = "insert into meta (key, value) values ($1, $2)";
const COUNT: &str = "select cast(count(*) as bigint) from meta where key like 'test%'";
const TAKEN: Failure = Failure::Refused("key");

fn put(key: &str) -> Change {
    let mut change = Change::new();
    change.expect_one(PUT, values![format!("test {key}"), "x"], TAKEN);
    change
}

async fn a_reseller(bed: &Bed, id: i64, balance: i64) {
    let sql = "insert into resellers (id, name, currency, balance, created_at)
        values ($1, $2, 'USD', $3, 0)";
    bed.apply(sql, values![id, "Reseller", balance]).await;
}

fn spend(change: &mut Change, reseller: i64, amount: i64) {
    let sql = "update resellers set balance = balance - $1 where id = $2 and balance >= $1";
    change.expect_one(sql, values![amount, reseller], Failure::Refused("balance"));
}

async fn a_set_is_applied_wholly_or_not_at_all(bed: &Bed) {
    let mut change = put("one");
    change.append(put("two"));
    change.expect_one(
        "update meta set value = 'y' where key = 'nobody'",
        vec![],
        TAKEN,
    );
    assert!(matches!(
        bed.store.commit(change).await,
        Err(StoreError::Refused("key"))
    ));
    assert_eq!(bed.int(COUNT).await, 0);

    let mut change = put("one");
    change.append(put("two"));
    bed.store.commit(change).await.unwrap();
    assert_eq!(bed.int(COUNT).await, 2);
    assert!(bed.store.commit(Change::new()).await.unwrap().is_empty());
}

async fn a_failing_set_of_a_group_fails_alone(bed: &Bed) {
    let sets = (0..200_i64).map(|n| {
        let mut change = put(&n.to_string());
        if n % 20 == 7 {
            let conflict = Failure::Conflict {
                what: "thing",
                id: n,
            };
            change.expect_one("delete from meta where key = 'nobody'", vec![], conflict);
        }
        bed.store.commit(change)
    });
    for (n, outcome) in (0_i64..).zip(join_all(sets).await) {
        match outcome {
            Ok(rows) => assert!(rows.is_empty() && n % 20 != 7),
            Err(StoreError::Conflict { what: "thing", id }) => assert!(id == n && n % 20 == 7),
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(bed.int(COUNT).await, 190);
}

async fn a_wrong_number_of_rows_is_the_failure_named(bed: &Bed) {
    for n in 0..3 {
        bed.store.commit(put(&n.to_string())).await.unwrap();
    }
    let update = "update meta set value = 'y' where key like 'test%'";
    for (expected, fits) in [(2, false), (3, true), (4, false)] {
        let mut change = Change::new();
        change.expect_rows(update, vec![], expected, Failure::Refused("three"));
        let outcome = bed.store.commit(change).await;
        assert_eq!(outcome.is_ok(), fits);
        assert!(fits || matches!(outcome, Err(StoreError::Refused("three"))));
    }
    let mut change = Change::new();
    let insert = "insert into meta (key, value) select key, value from meta where key = 'nobody'";
    change.expect_one(insert, vec![], Failure::Refused("selected"));
    assert!(matches!(
        bed.store.commit(change).await,
        Err(StoreError::Refused("selected"))
    ));
    let mut change = Change::new();
    let insert =
        "insert into meta (key, value) values ('test 0', 'z') on conflict (key) do nothing";
    change.expect_one(insert, vec![], Failure::Refused("new"));
    assert!(matches!(
        bed.store.commit(change).await,
        Err(StoreError::Refused("new"))
    ));
}

async fn a_violated_key_or_check_is_the_failure_named(bed: &Bed) {
    bed.store.commit(put("one")).await.unwrap();
    assert!(matches!(
        bed.store.commit(put("one")).await,
        Err(StoreError::Refused("key"))
    ));

    a_reseller(bed, 1, 10).await;
    let mut change = Change::new();
    let sql = "update resellers set balance = balance - $1 where id = 1";
    change.expect_one(sql, values![11_i64], Failure::Refused("balance"));
    assert!(matches!(
        bed.store.commit(change).await,
        Err(StoreError::Refused("balance"))
    ));
}

async fn a_violated_key_without_expectation_is_an_error(bed: &Bed) {
    bed.store.commit(put("one")).await.unwrap();
    let mut change = Change::new();
    change.execute(PUT, values!["test one", "x"]);
    assert!(matches!(
        bed.store.commit(change).await,
        Err(StoreError::Database(_))
    ));
    let mut change = Change::new();
    let orphan = "insert into contacts
        (id, reseller_id, role, details, created_at, modified_at) values (1, 99, '', '', 0, 0)";
    change.expect_one(orphan, vec![], TAKEN);
    assert!(matches!(
        bed.store.commit(change).await,
        Err(StoreError::Database(_))
    ));
}

async fn rows_of_queries_come_back_in_order(bed: &Bed) {
    let sets = (0..50_i64).map(|n| {
        let mut change = Change::new();
        let insert = "insert into meta (key, value) values ($1, $2) returning key, value";
        change.query(insert, values![format!("test {n}"), "a"]);
        change.execute(
            "update meta set value = 'b' where key = $1",
            values![format!("test {n}")],
        );
        change.query(
            "delete from meta where key = 'nobody' returning key",
            vec![],
        );
        change.query(
            "select value from meta where key = $1",
            values![format!("test {n}")],
        );
        bed.store.commit(change)
    });
    for (n, outcome) in join_all(sets).await.into_iter().enumerate() {
        let answers = outcome.unwrap();
        assert_eq!(answers.len(), 3);
        assert_eq!(answers[0][0].values(), values![format!("test {n}"), "a"]);
        assert!(answers[1].is_empty());
        assert_eq!(answers[2][0].values(), values!["b"]);
    }
}

async fn every_kind_of_value_comes_back_as_it_went(bed: &Bed) {
    let insert = "insert into credentials
        (username, reseller_id, secret_hash, created_at, revoked_at) values ($1, 1, $2, $3, $4)";
    a_reseller(bed, 1, 0).await;
    let texts = ["", "a'b\"c\\d", "Ünïcode ☃ 𝄞", "line\nline"];
    let bytes: [Vec<u8>; 4] = [
        vec![],
        vec![0, 255, 0],
        (0..=255).collect(),
        vec![7; 100_000],
    ];
    let ints = [0, -1, i64::MAX, i64::MIN];
    for (n, text) in texts.iter().enumerate() {
        let revoked = [None, Some(ints[n])][n % 2];
        bed.apply(insert, values![*text, bytes[n].clone(), ints[n], revoked])
            .await;
        let select = "select username, secret_hash, created_at, revoked_at, 1
            from credentials where username = $1";
        let row = bed
            .store
            .query_one(select, values![*text])
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            row.values(),
            values![*text, bytes[n].clone(), ints[n], revoked, 1_i64],
            "{text}"
        );
    }
    let select = "select username from credentials where revoked_at is null
        and cast($1 as bigint) = cast($2 as bigint)";
    assert_eq!(
        bed.store
            .query(select, values![1_i64, 1_i64])
            .await
            .unwrap()
            .len(),
        2
    );
    let both = "select username from credentials where reseller_id = $1";
    assert!(matches!(
        bed.store.query_one(both, values![1_i64]).await,
        Err(StoreError::Corrupt { .. })
    ));
    let none = "select username from credentials where username = $1";
    assert!(
        bed.store
            .query_one(none, values!["nobody"])
            .await
            .unwrap()
            .is_none()
    );
}

async fn a_value_of_the_wrong_kind_applies_nothing(bed: &Bed) {
    // An integer for a text is left out: SQLite turns it into digits where PostgreSQL refuses.
    for wrong in [Value::Bytes(vec![1]), Value::Null] {
        let mut change = put("one");
        change.execute(PUT, values!["test two", "x"]);
        change.execute(PUT, vec!["test three".into(), wrong]);
        change.append(put("four"));
        let beside = put("beside");
        let (outcome, beside) = tokio::join!(bed.store.commit(change), bed.store.commit(beside));
        assert!(
            matches!(outcome, Err(StoreError::Database(_))),
            "{outcome:?}"
        );
        beside.unwrap();
        assert_eq!(bed.int(COUNT).await, 1);
        bed.apply("delete from meta where key like 'test%'", vec![])
            .await;
    }
}

async fn a_missing_value_applies_nothing(bed: &Bed) {
    for values in [values!["test two"], values!["test two", "x", "y"]] {
        let mut change = put("one");
        change.execute(PUT, values.clone());
        assert!(matches!(
            bed.store.commit(change).await,
            Err(StoreError::Database(_))
        ));
        let select = "select key from meta where key = $1 and value = $2";
        assert!(matches!(
            bed.store.query(select, values).await,
            Err(StoreError::Database(_))
        ));
    }
    assert_eq!(bed.int(COUNT).await, 0);
}

async fn broken_sql_fails_alone(bed: &Bed) {
    let sets = (0..20).map(|n| {
        let mut change = put(&n.to_string());
        if n == 10 {
            change.execute("insert into nowhere (a) values ($1)", values![1_i64]);
        }
        bed.store.commit(change)
    });
    let failed = join_all(sets)
        .await
        .into_iter()
        .filter(Result::is_err)
        .count();
    assert_eq!(failed, 1);
    assert_eq!(bed.int(COUNT).await, 19);
    assert!(
        bed.store
            .query("select nothing from nowhere", vec![])
            .await
            .is_err()
    );
}

async fn no_balance_is_spent_twice(bed: &Bed) {
    a_reseller(bed, 1, 1_000).await;
    let other = bed.another().await;
    let sets = (0..300_i64).map(|n| {
        let mut change = put(&n.to_string());
        if n % 3 == 0 {
            change.lane(1);
        }
        spend(&mut change, 1, 10);
        if n % 2 == 0 {
            bed.store.commit(change)
        } else {
            other.commit(change)
        }
    });
    let outcomes = join_all(sets).await;
    let spent = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(spent, 100);
    for outcome in outcomes {
        assert!(
            matches!(outcome, Ok(_) | Err(StoreError::Refused("balance"))),
            "{outcome:?}"
        );
    }
    assert_eq!(
        bed.int("select balance from resellers where id = 1").await,
        0
    );
    assert_eq!(bed.int(COUNT).await, 100);
    other.close().await;
}

async fn sets_that_cross_each_other_all_succeed(bed: &Bed) {
    for id in 1..=4 {
        a_reseller(bed, id, 1_000_000).await;
    }
    let other = bed.another().await;
    let sets = (0..100_i64).map(|n| {
        let mut change = Change::new();
        let (first, second) = (n % 4 + 1, (n * 3 + 1) % 4 + 1);
        spend(&mut change, first, 1);
        spend(&mut change, second, 1);
        if n % 2 == 0 {
            bed.store.commit(change)
        } else {
            other.commit(change)
        }
    });
    for outcome in join_all(sets).await {
        outcome.unwrap();
    }
    assert_eq!(
        bed.int("select cast(sum(balance) as bigint) from resellers")
            .await,
        4_000_000 - 200
    );
    other.close().await;
}

async fn a_long_group_is_applied_in_parts(bed: &Bed) {
    let sets = (0..2_000).map(|n| bed.store.commit(put(&n.to_string())));
    for outcome in join_all(sets).await {
        outcome.unwrap();
    }
    assert_eq!(bed.int(COUNT).await, 2_000);
}

async fn merged_sets_are_one(bed: &Bed) {
    let mut change = Change::new();
    assert!(change.is_empty());
    change.append(put("one")).append(put("two"));
    change.append(put("one"));
    assert!(!change.is_empty());
    assert!(bed.store.commit(change).await.is_err());
    assert_eq!(bed.int(COUNT).await, 0);
}

async fn a_scan_reads_what_a_query_reads(bed: &Bed) {
    bed.store.commit(put("one")).await.unwrap();
    let sql = "select key, value from meta where key like $1 order by key";
    let queried = bed.store.query(sql, values!["test%"]).await.unwrap();
    assert_eq!(
        bed.store.scan(sql, values!["test%"]).await.unwrap(),
        queried
    );
    assert_eq!(queried.len(), 1);
}
