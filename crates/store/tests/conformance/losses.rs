//! Connections that break, servers that go away, disks and files that refuse: the answer tells the truth.

use std::time::{Duration, Instant};

use chancery_store::{Change, DatabaseUrl, Failure, Store, StoreError, StoreSettings, values};
use futures_util::future::join_all;

use crate::bed::{Bed, settings};
use crate::proxy::{Accident, Proxy};

const TAKEN: Failure = Failure::Refused("key");

/// A set that shows whether it was applied, and how often.
fn counted(key: i64) -> Change {
    let mut change = Change::new();
    let sql = "insert into meta (key, value) values ($1, 'x')";
    change.expect_one(sql, values![format!("test {key}")], TAKEN);
    change.expect_one(
        "update resellers set balance = balance + 1 where id = 1",
        vec![],
        TAKEN,
    );
    change
}

async fn is_applied(bed: &Bed, key: i64) -> bool {
    let sql = "select key from meta where key = $1";
    bed.store
        .query_one(sql, values![format!("test {key}")])
        .await
        .unwrap()
        .is_some()
}

async fn balance(bed: &Bed) -> i64 {
    bed.int("select balance from resellers where id = 1").await
}

async fn a_counter(bed: &Bed) {
    let sql = "insert into resellers (id, name, currency, balance, created_at)
        values (1, '', 'USD', 0, 0)";
    bed.apply(sql, vec![]).await;
}

/// A database, and a store that reaches it through a proxy.
async fn through_a_proxy(settings: &StoreSettings) -> (Bed, Proxy, Store) {
    let bed = Bed::postgres().await;
    a_counter(&bed).await;
    let (server, database) = bed.server();
    let proxy = Proxy::start(server).await;
    let url = format!("postgres://chancery@127.0.0.1:{}/{database}", proxy.port);
    let store = Store::open(&DatabaseUrl::parse(&url).unwrap(), settings)
        .await
        .unwrap();
    (bed, proxy, store)
}

fn impatient() -> StoreSettings {
    StoreSettings {
        answer_within: Duration::from_millis(400),
        reconnect_within: Duration::from_millis(400),
        lanes: 1,
        ..settings()
    }
}

/// Whatever happens around `commit`, a set counts once if it was answered with success, and not at all if
/// it was answered with an error; nothing is left unknown while the server can be reached.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_tell_the_truth_when_connections_break() {
    use Accident::{CutAfter, CutBefore, CutBoth, None};
    let (bed, proxy, store) = through_a_proxy(&StoreSettings {
        group: 8,
        ..settings()
    })
    .await;
    let round = [
        CutAfter, None, CutBefore, CutBoth, None, CutBefore, CutAfter, CutAfter, CutBoth,
    ];
    proxy.plan(round.into_iter().cycle().take(54));
    let outcomes = join_all((0..600).map(|key| store.commit(counted(key)))).await;
    assert_eq!(proxy.left(), 0);
    let mut applied = 0;
    for (key, outcome) in (0..).zip(outcomes) {
        assert_eq!(
            is_applied(&bed, key).await,
            outcome.is_ok(),
            "{key}: {outcome:?}"
        );
        assert!(
            matches!(outcome, Ok(_) | Err(StoreError::Unavailable(_))),
            "{outcome:?}"
        );
        applied += i64::from(outcome.is_ok());
    }
    assert_eq!(balance(&bed).await, applied);
    assert!(applied > 500, "only {applied} were applied");
    store.close().await;
    bed.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_never_saw_commit_does_not_keep_the_row() {
    let (bed, proxy, store) = through_a_proxy(&impatient()).await;
    store.commit(counted(0)).await.unwrap();
    proxy.plan([Accident::Swallow]);
    store.commit(counted(1)).await.unwrap();
    assert_eq!(balance(&bed).await, 2);
    store.close().await;
    bed.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_never_comes_is_asked_for() {
    let (bed, proxy, store) = through_a_proxy(&impatient()).await;
    store.commit(counted(0)).await.unwrap();
    proxy.plan([Accident::Stall]);
    store.commit(counted(1)).await.unwrap();
    assert_eq!(balance(&bed).await, 2);
    store.close().await;
    bed.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_were_lost_are_not_made_up() {
    let (bed, proxy, store) = through_a_proxy(&impatient()).await;
    store.commit(counted(0)).await.unwrap();
    proxy.plan([Accident::CutAfter]);
    let mut change = counted(1);
    change.query(
        "update meta set value = 'y' where key = 'test 1' returning key",
        vec![],
    );
    match store.commit(change).await {
        Ok(answers) => assert_eq!(answers[0].len(), 1),
        Err(error) => assert!(matches!(error, StoreError::Unknown(_)), "{error:?}"),
    }
    assert!(is_applied(&bed, 1).await);
    store.close().await;
    bed.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_nobody_can_learn_is_unknown() {
    let (bed, proxy, store) = through_a_proxy(&impatient()).await;
    store.commit(counted(0)).await.unwrap();
    proxy.plan([Accident::CutAfterAndStayAway]);
    let outcome = store.commit(counted(1)).await;
    assert!(
        matches!(outcome, Err(StoreError::Unknown(_))),
        "{outcome:?}"
    );
    // What was never sent is known not to be applied.
    let outcome = store.commit(counted(2)).await;
    assert!(
        matches!(outcome, Err(StoreError::Unavailable(_))),
        "{outcome:?}"
    );
    assert!(!is_applied(&bed, 2).await);

    proxy.come_back();
    store.commit(counted(3)).await.unwrap();
    assert_eq!(
        store
            .query("select key from meta where key = 'test 3'", vec![])
            .await
            .unwrap()
            .len(),
        1
    );
    store.close().await;
    bed.remove().await;
}

/// A firewall, a machine without power: nothing is refused, and nothing comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_falls_silent_is_away_within_five_seconds() {
    const FIND: &str = "select key from meta where key = 'test 0'";
    let (bed, proxy, store) = through_a_proxy(&settings()).await;
    store.commit(counted(0)).await.unwrap();
    proxy.fall_silent();
    let began = Instant::now();
    let (read, scanned, written) = tokio::join!(
        store.query(FIND, vec![]),
        store.scan(FIND, vec![]),
        store.commit(counted(1)),
    );
    assert!(began.elapsed() < Duration::from_secs(5));
    for outcome in [read, scanned] {
        assert!(
            matches!(outcome, Err(StoreError::Unavailable(_))),
            "{outcome:?}"
        );
    }
    assert!(
        matches!(
            written,
            Err(StoreError::Unavailable(_) | StoreError::Unknown(_))
        ),
        "{written:?}"
    );
    // Whoever comes now need not wait for the same.
    let began = Instant::now();
    for key in 100..150 {
        let refused = store.commit(counted(key)).await;
        assert!(
            matches!(refused, Err(StoreError::Unavailable(_))),
            "{refused:?}"
        );
    }
    assert!(began.elapsed() < Duration::from_secs(5));

    proxy.come_back();
    while store.query(FIND, vec![]).await.is_err() {}
    let began = Instant::now();
    store.commit(counted(2)).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(10));
    for key in 100..150 {
        assert!(!is_applied(&bed, key).await, "{key}");
    }
    store.close().await;
    bed.remove().await;
}

/// Whoever gives up while another process holds the file has given up for good.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waited_too_long_for_a_file_is_not_written_later() {
    let bed = Bed::sqlite().await;
    a_counter(&bed).await;
    let patient = StoreSettings {
        busy_timeout: Duration::from_secs(60),
        ..settings()
    };
    let store = Store::open(&bed.url, &patient).await.unwrap();
    let file = bed.url.to_string().replace("sqlite://", "");
    let other = rusqlite::Connection::open(file).unwrap();
    other.execute_batch("begin immediate").unwrap();
    let began = Instant::now();
    let outcomes = join_all((0..20).map(|key| store.commit(counted(key)))).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    for outcome in outcomes {
        assert!(
            matches!(outcome, Err(StoreError::Unavailable(_))),
            "{outcome:?}"
        );
    }
    other.execute_batch("rollback").unwrap();
    store.commit(counted(20)).await.unwrap();
    assert_eq!(balance(&bed).await, 1);
    store.close().await;
    bed.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_ends_all_connections_loses_nothing() {
    let bed = Bed::postgres().await;
    a_counter(&bed).await;
    let admin = bed.admin().await;
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid()";
    let killing = async {
        for _ in 0..10 {
            admin.query(kill, &[]).await.unwrap();
            bed.store
                .query("select key from meta", vec![])
                .await
                .unwrap();
        }
    };
    let committing = join_all((0..1_000).map(|key| bed.store.commit(counted(key))));
    let (outcomes, ()) = tokio::join!(committing, killing);
    let mut applied = 0;
    for (key, outcome) in (0..).zip(outcomes) {
        assert_eq!(
            is_applied(&bed, key).await,
            outcome.is_ok(),
            "{key}: {outcome:?}"
        );
        applied += i64::from(outcome.is_ok());
    }
    assert_eq!(balance(&bed).await, applied);
    bed.remove().await;
}

#[tokio::test]
async fn a_server_that_may_not_be_written_is_not_healthy() {
    let bed = Bed::postgres().await;
    let (admin, (_, database)) = (bed.admin().await, bed.server());
    let set = format!("alter database {database} set default_transaction_read_only = on");
    admin.batch_execute(&set).await.unwrap();
    let store = bed.another().await;
    assert!(matches!(
        store.check_writable().await,
        Err(StoreError::Unavailable(_))
    ));
    let reset = format!("alter database {database} reset default_transaction_read_only");
    admin.batch_execute(&reset).await.unwrap();
    store.check_writable().await.unwrap();
    store.close().await;
    bed.remove().await;
}

/// A commit that fails, as opposed to a statement: here by a foreign key that is only looked at then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_fails_on_a_file_answers_all_and_applies_nothing() {
    let bed = Bed::sqlite().await;
    a_counter(&bed).await;
    let mut broken = counted(0);
    broken.execute("pragma defer_foreign_keys = on", vec![]);
    let orphan = "insert into contacts
        (id, reseller_id, role, details, created_at, modified_at) values (1, 99, '', '', 0, 0)";
    broken.execute(orphan, vec![]);
    let sets = std::iter::once(broken).chain((1..20).map(counted));
    let outcomes = join_all(sets.map(|change| bed.store.commit(change))).await;
    assert!(
        matches!(outcomes[0], Err(StoreError::Database(_))),
        "{:?}",
        outcomes[0]
    );
    for (key, outcome) in (0..).zip(&outcomes) {
        assert_eq!(
            is_applied(&bed, key).await,
            outcome.is_ok(),
            "{key}: {outcome:?}"
        );
    }
    bed.store.commit(counted(20)).await.unwrap();
    bed.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_fails_on_a_server_fails_alone() {
    let bed = Bed::postgres().await;
    a_counter(&bed).await;
    let script = "alter table contacts alter constraint contacts_reseller_id_fkey
        deferrable initially deferred";
    bed.admin().await.batch_execute(script).await.unwrap();
    let mut broken = counted(0);
    let orphan = "insert into contacts
        (id, reseller_id, role, details, created_at, modified_at) values (1, 99, '', '', 0, 0)";
    broken.execute(orphan, vec![]);
    let sets = std::iter::once(broken).chain((1..20).map(counted));
    let outcomes = join_all(sets.map(|change| bed.store.commit(change))).await;
    for (key, outcome) in (0..).zip(&outcomes) {
        assert_eq!(outcome.is_ok(), key != 0, "{key}: {outcome:?}");
        assert_eq!(is_applied(&bed, key).await, outcome.is_ok());
    }
    bed.remove().await;
}

#[tokio::test]
async fn a_file_that_another_process_holds_is_an_error_in_time() {
    let bed = Bed::sqlite().await;
    a_counter(&bed).await;
    let hasty = StoreSettings {
        busy_timeout: Duration::from_millis(50),
        ..settings()
    };
    let store = Store::open(&bed.url, &hasty).await.unwrap();
    let file = bed.url.to_string().replace("sqlite://", "");
    let other = rusqlite::Connection::open(file).unwrap();
    other.execute_batch("begin immediate").unwrap();
    let outcome = store.commit(counted(1)).await;
    assert!(
        matches!(outcome, Err(StoreError::Unavailable(_))),
        "{outcome:?}"
    );
    assert_eq!(balance(&bed).await, 0);
    other.execute_batch("rollback").unwrap();
    store.commit(counted(1)).await.unwrap();
    store.close().await;
    bed.remove().await;
}
