//! Jobs that fail: they back off, some are parked and told of, and nothing of money or certificates is lost.

use chancery_testkit::{Engine, TestServer, on_both_engines};
use serde_json::Value;

use crate::database::{ask, execute, execute_with, int, refuse_signatures};

on_both_engines!(
    a_chore_that_keeps_failing_is_parked_and_told_until_the_next_start,
    a_job_with_money_on_it_is_tried_for_ever,
    a_job_that_panics_fails_with_its_id_and_comes_again,
    a_reservation_that_outlived_its_day_is_made_anew,
    a_reservation_by_a_clock_that_was_ahead_is_made_anew,
    cancelling_while_a_certificate_is_signed_waits_for_it,
    a_job_that_servers_die_over_waits_and_is_parked_in_the_end,
);

/// The last second there is to computers, in microseconds.
const LAST_SECOND: i64 = 253_402_207_200_000_000;

/// Keeps the memory of repeated requests from being forgotten, which the daily chore is for.
async fn refuse_to_forget(server: &TestServer, refuse: bool) {
    let statements: &[&'static str] = match (server.engine(), refuse) {
        (Engine::Sqlite, true) => &["create trigger unforgotten before delete on idempotency
            begin select raise(abort, 'nothing is forgotten'); end"],
        (Engine::Sqlite, false) => &["drop trigger unforgotten"],
        (Engine::Postgres, true) => &[
            "create function unforgotten() returns trigger language plpgsql as
                $$ begin raise exception 'nothing is forgotten'; end $$",
            "create trigger unforgotten before delete on idempotency
                for each row execute function unforgotten()",
        ],
        (Engine::Postgres, false) => &[
            "drop trigger unforgotten on idempotency",
            "drop function unforgotten()",
        ],
    };
    for sql in statements {
        execute(server, sql).await;
    }
}

async fn a_chore_that_keeps_failing_is_parked_and_told_until_the_next_start(
    server: &mut TestServer,
) {
    let (panel, world) = (server.panel().await, server.world());
    let order = panel.order("ssl123", "email", &["shop.test"]).await;
    panel.place_under_key("invoice-1", &order).await.data();
    refuse_to_forget(server, true).await;
    assert_eq!(server.app().job_counts().await.unwrap().parked, 0);
    world.advance(32 * 24 * 3_600).await;
    for _ in 0..10 {
        world.advance(600).await;
    }
    let parked = server.operations().parked_jobs().await.unwrap();
    assert_eq!(parked.len(), 1, "{parked:?}");
    assert_eq!(parked[0].kind, "housekeep");
    assert!(
        parked[0].last_error.contains("nothing is forgotten"),
        "{parked:?}"
    );
    assert_eq!(server.app().job_counts().await.unwrap().parked, 1);
    let errors = server.logs.take_errors();
    let told: Vec<_> = errors
        .iter()
        .filter(|line| line.contains("job parked"))
        .collect();
    assert_eq!(told.len(), 1, "{errors:#?}");
    let id = format!("job.id={}", parked[0].id.0);
    assert!(told[0].contains(&id), "{told:?}");

    refuse_to_forget(server, false).await;
    server.restart().await;
    server.world().run_due_jobs().await;
    assert_eq!(server.app().job_counts().await.unwrap().parked, 0);
    assert_eq!(int(server, "select count(*) from idempotency").await, 0);
    server.logs.take_errors();
}

async fn a_job_with_money_on_it_is_tried_for_ever(server: &mut TestServer) {
    let (panel, world) = (server.panel().await, server.world());
    let placed = panel
        .place(&panel.order("ssl123", "dns", &["shop.test"]).await)
        .await;
    panel.publish(&placed.data).await;
    execute(
        server,
        "update issuances set controls = 'broken ' || controls",
    )
    .await;
    world.advance(6).await;
    for _ in 0..12 {
        world.advance(5_000).await;
    }
    let tries = int(server, "select tries from jobs where kind = 'poll_dcv'").await;
    assert!(tries > 10, "{tries}");
    assert_eq!(server.app().job_counts().await.unwrap().parked, 0);
    let errors = server.logs.take_errors();
    assert!(
        errors.iter().any(|line| line.contains("job failed")),
        "{errors:#?}"
    );

    execute(
        server,
        "update issuances set controls = substr(controls, 8)",
    )
    .await;
    world.advance(5_000).await;
    assert_eq!(
        panel.again().await.statuses(&placed.id).await.0,
        "COMPLETED"
    );
}

async fn a_job_that_panics_fails_with_its_id_and_comes_again(server: &mut TestServer) {
    let (panel, world) = (server.panel().await, server.world());
    panel.issue("ssl123", &["shop.test"]).await;
    let not_after = int(server, "select not_after from certificates").await;
    // There is no moment after the last one: who wants to come back then panics.
    set_not_after(server, LAST_SECOND).await;
    execute(server, "update jobs set run_at = 1 where kind = 'tend'").await;
    world.run_due_jobs().await;
    let sql = "select id, tries, last_error, holder, run_at from jobs where kind = 'tend'";
    let job = &ask(server, sql).await[0];
    let id = job.int(0).unwrap();
    assert_eq!(job.int(1).unwrap(), 1);
    assert!(job.text(2).unwrap().contains("the job panicked"), "{job:?}");
    assert_eq!(job.opt_int(3).unwrap(), None);
    let now = server.app().now().as_microsecond();
    assert!(job.int(4).unwrap() > now - 2_000_000, "it backs off");
    let errors = server.logs.take_errors();
    let told =
        |line: &String| line.contains("job panicked") && line.contains(&format!("job.id={id}"));
    assert!(errors.iter().any(told), "{errors:#?}");

    set_not_after(server, not_after).await;
    world.advance(10).await;
    let job = &ask(server, sql).await[0];
    assert_eq!((job.int(0).unwrap(), job.int(1).unwrap()), (id, 0));
    panel.issue("ssl123", &["other.test"]).await;
}

async fn set_not_after(server: &TestServer, micros: i64) {
    const SQL: &str = "update certificates set not_after = $1";
    execute_with(server, SQL, vec![micros.into()]).await;
}

async fn a_reservation_that_outlived_its_day_is_made_anew(server: &mut TestServer) {
    let (panel, world) = (server.panel().await, server.world());
    let before = panel.cents().await;
    let placed = panel
        .place(&panel.order("ssl123", "dns", &["shop.test"]).await)
        .await;
    panel.publish(&placed.data).await;
    refuse_signatures(server, true).await;
    panel.look(&placed.id).await;
    assert_eq!(panel.statuses(&placed.id).await.0, "PROCESSED");
    world.advance(25 * 3_600).await;
    let panel = panel.again().await;
    assert_eq!(panel.statuses(&placed.id).await.0, "PROCESSED");
    refuse_signatures(server, false).await;
    world.advance(3_600).await;
    let panel = panel.again().await;
    assert_eq!(panel.statuses(&placed.id).await.0, "COMPLETED");
    assert_eq!(before - panel.cents().await, 1_000);
    panel.verify(&placed.id, &["shop.test"]).await;

    let rows = ask(
        server,
        "select state, reserved_at, serial from certificates order by id",
    )
    .await;
    let states: Vec<_> = rows.iter().map(|row| row.text(0).unwrap()).collect();
    assert_eq!(states, ["abandoned", "issued"]);
    let day = 24 * 3_600 * 1_000_000;
    assert!(rows[1].int(1).unwrap() - rows[0].int(1).unwrap() > day);
    assert_ne!(rows[0].bytes(2).unwrap(), rows[1].bytes(2).unwrap());
    server.logs.take_errors();
}

async fn a_reservation_by_a_clock_that_was_ahead_is_made_anew(server: &mut TestServer) {
    let panel = server.panel().await;
    let placed = panel
        .place(&panel.order("ssl123", "dns", &["shop.test"]).await)
        .await;
    panel.publish(&placed.data).await;
    refuse_signatures(server, true).await;
    panel.look(&placed.id).await;
    assert_eq!(panel.statuses(&placed.id).await.0, "PROCESSED");
    // Two days ahead.
    let moved = "update certificates set reserved_at = reserved_at + 172800000000";
    server.stop().await;
    refuse_signatures(server, false).await;
    execute(server, moved).await;
    server.restart().await;
    server.world().advance(3_600).await;
    let panel = server.panel().await;
    assert_eq!(panel.statuses(&placed.id).await.0, "COMPLETED");
    let rows = ask(server, "select state from certificates order by id").await;
    let states: Vec<_> = rows.iter().map(|row| row.text(0).unwrap()).collect();
    assert_eq!(states, ["abandoned", "issued"]);
    server.logs.take_errors();
}

async fn cancelling_while_a_certificate_is_signed_waits_for_it(server: &mut TestServer) {
    let (panel, world) = (server.panel().await, server.world());
    let before = panel.cents().await;
    let placed = panel
        .place(&panel.order("ssl123", "dns", &["shop.test"]).await)
        .await;
    panel.publish(&placed.data).await;
    refuse_signatures(server, true).await;
    panel.look(&placed.id).await;
    assert_eq!(panel.statuses(&placed.id).await.0, "PROCESSED");

    let (cancelled, ()) = tokio::join!(panel.cancel(&placed.id), async {
        // It waits meanwhile.
        for _ in 0..5 {
            assert_eq!(panel.statuses(&placed.id).await.0, "PROCESSED");
        }
        refuse_signatures(server, false).await;
        world.advance_clock(10).await;
    });
    cancelled.data();
    assert_eq!(panel.statuses(&placed.id).await.0, "REFUNDED");
    assert_eq!(panel.cents().await, before);
    let revoked = "select count(*) from certificates where revoked_at is not null";
    assert_eq!(int(server, revoked).await, 1);
    // Who heard nothing asks again.
    let again: Value = panel.cancel(&placed.id).await.json();
    assert_eq!(again["code"], "1000", "{again}");
}

/// How often runs of the jobs of an order and of the chores came to no end, and whether they wait.
async fn lost(server: &TestServer) -> Vec<(String, i64, bool)> {
    let sql = "select kind, lost, run_at from jobs where kind in ('housekeep', 'tend')
        and parked_at is null order by kind";
    let now = server.app().now().as_microsecond();
    let rows = ask(server, sql).await;
    let read = |row: &chancery_store::Row| {
        let kind = row.text(0).unwrap().to_owned();
        (kind, row.int(1).unwrap(), row.int(2).unwrap() > now)
    };
    rows.iter().map(read).collect()
}

async fn a_job_that_servers_die_over_waits_and_is_parked_in_the_end(server: &mut TestServer) {
    let (panel, world) = (server.panel().await, server.world());
    panel.issue("ssl123", &["shop.test"]).await;
    world.run_due_jobs().await;
    // As the third server in a row leaves them that ended while they ran.
    let third = "update jobs set lost = 2, tries = 1, holder = 99, run_at = 1
        where kind in ('housekeep', 'tend')";
    execute(server, third).await;
    world.run_due_jobs().await;
    let aside = |lost| ["housekeep", "tend"].map(|kind| (kind.to_owned(), lost, true));
    assert_eq!(lost(server).await, aside(3));
    let told = server.logs.take_errors();
    let told = told.iter().filter(|line| line.contains("job set aside"));
    assert_eq!(told.count(), 2);
    // They have another chance, and this time it goes well.
    world.advance(20).await;
    assert_eq!(lost(server).await, aside(0));

    let eighth = "update jobs set lost = 7, tries = 1, holder = 99, run_at = 1
        where kind in ('housekeep', 'tend')";
    execute(server, eighth).await;
    world.run_due_jobs().await;
    assert_eq!(lost(server).await, aside(8)[1..]);
    let parked = server.operations().parked_jobs().await.unwrap();
    assert_eq!((parked.len(), parked[0].kind.as_str()), (1, "housekeep"));
    assert!(
        parked[0].last_error.contains("the server ended"),
        "{parked:?}"
    );
    server.logs.take_errors();
    server.restart().await;
    server.world().advance(4_000).await;
    assert_eq!(lost(server).await, aside(0));
}
