//! Whatever is done, in whatever order: the balance is what a shopkeeper with a pencil would have, every order is
//! paid once or paid back once, and the ledger sums to zero.

use chancery_domain::money::{Currency, Money};
use chancery_domain::resellers::ResellerId;
use chancery_testkit::{Engine, Panel, PlacedOrder, TestServer, run_server};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

/// What a reseller, an operator or the clock may do.
#[derive(Clone, Debug)]
enum Step {
    /// The operator credits so many cents.
    Credit(i64),
    /// An order for so many names.
    Place { names: usize },
    /// The same under one of a few keys: perhaps again.
    PlaceUnderKey { key: usize },
    /// Cancels the nth order, whatever became of it.
    Cancel(usize),
    /// Proves the nth order's names.
    Prove(usize),
    /// Changes how the nth order is proved.
    ChangeMethod(usize),
    /// Time goes by.
    Wait { days: i64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        1 => (1..5000_i64).prop_map(Step::Credit),
        4 => (1..4_usize).prop_map(|names| Step::Place { names }),
        2 => (0..3_usize).prop_map(|key| Step::PlaceUnderKey { key }),
        3 => (0..8_usize).prop_map(Step::Cancel),
        3 => (0..8_usize).prop_map(Step::Prove),
        1 => (0..8_usize).prop_map(Step::ChangeMethod),
        1 => prop_oneof![Just(1_i64), Just(31_i64)].prop_map(|days| Step::Wait { days }),
    ];
    prop::collection::vec(step, 1..16)
}

/// How long the walks are repeated: `TEST_WALKS` on each engine.
fn walks() -> u32 {
    let asked = std::env::var("TEST_WALKS").ok();
    asked.map_or(12, |text| text.parse().expect("TEST_WALKS is a number"))
}

fn walk_at_random(engine: Engine) {
    let config = Config {
        cases: walks(),
        max_shrink_iters: 64,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let outcome = runner.run(&steps(), |steps| {
        run_server(engine, async |server| walk(server, &steps).await);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn no_sequence_of_calls_loses_or_doubles_money_on_sqlite() {
    walk_at_random(Engine::Sqlite);
}

#[test]
fn no_sequence_of_calls_loses_or_doubles_money_on_postgres() {
    walk_at_random(Engine::Postgres);
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    Open,
    Issued,
    GivenBack,
}

/// What the shopkeeper notes down.
struct Book {
    cents: i64,
    orders: Vec<(PlacedOrder, i64, State)>,
    /// What was sent under each key, and which order that became.
    of_keys: [Option<(Value, Option<usize>)>; 3],
}

async fn walk(server: &mut TestServer, steps: &[Step]) {
    let first = server.another_panel("60.00").await;
    let reseller = server
        .operations()
        .resellers()
        .await
        .unwrap()
        .last()
        .unwrap()
        .id;
    let mut book = Book {
        cents: 6000,
        orders: Vec::new(),
        of_keys: [const { None }; 3],
    };
    for (number, step) in steps.iter().enumerate() {
        // Tokens do not outlive the waiting.
        let panel = first.again().await;
        take(server, &panel, reseller, &mut book, number, step).await;
        let panel = first.again().await;
        assert_eq!(panel.cents().await, book.cents, "after {step:?}");
        for (order, _, state) in &book.orders {
            let (told, _) = panel.statuses(&order.id).await;
            let fits = match state {
                State::Open => ["PENDING", "IN_PROCESS"].contains(&&told[..]),
                State::Issued => told == "COMPLETED" || told == "EXPIRED",
                State::GivenBack => told == "CANCELLED" || told == "EXPIRED",
            };
            assert!(
                fits,
                "{} is {told}, not {state:?}, after {step:?}",
                order.id
            );
        }
        let faults = server.faults().await;
        assert!(faults.is_empty(), "{faults:?} after {step:?}");
    }
}

async fn take(
    server: &TestServer,
    panel: &Panel,
    reseller: ResellerId,
    book: &mut Book,
    number: usize,
    step: &Step,
) {
    match *step {
        Step::Credit(cents) => {
            let amount = Money {
                minor: cents,
                currency: Currency::parse("USD").unwrap(),
            };
            server
                .operations()
                .credit(reseller, amount, None)
                .await
                .unwrap();
            book.cents += cents;
        }
        Step::Place { names } => {
            let names: Vec<String> = (0..names)
                .map(|at| format!("s{at}.shop{number}.test"))
                .collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let price = 1000 * i64::try_from(names.len()).unwrap();
            let order = panel.order("ssl123", "dns", &names).await;
            let reply = panel.http.post("/ssl/v2/orders/new", &order).await;
            if book.cents >= price {
                book.cents -= price;
                book.orders
                    .push((PlacedOrder::of(&reply), price, State::Open));
            } else {
                let message = "Unable to place order due to insufficient balance";
                reply.refusal().is(400, "SSL2400", message);
            }
        }
        Step::PlaceUnderKey { key } => {
            if book.of_keys[key].is_none() {
                let name = format!("key{key}.shop{number}.test");
                book.of_keys[key] = Some((panel.order("ssl123", "dns", &[&name]).await, None));
            }
            let (order, placed) = book.of_keys[key].as_mut().unwrap();
            let reply = panel.place_under_key(&format!("key-{key}"), order).await;
            match placed {
                Some(at) => assert_eq!(PlacedOrder::of(&reply).id, book.orders[*at].0.id),
                None if book.cents >= 1000 => {
                    book.cents -= 1000;
                    *placed = Some(book.orders.len());
                    book.orders
                        .push((PlacedOrder::of(&reply), 1000, State::Open));
                }
                None => assert_eq!(reply.status, 400, "{}", reply.text()),
            }
        }
        Step::Cancel(at) => {
            let Some((order, price, state)) = book.orders.get_mut(at) else {
                return;
            };
            let reply = panel.cancel(&order.id).await;
            match state {
                State::Open => {
                    reply.data();
                    (*state, book.cents) = (State::GivenBack, book.cents + *price);
                }
                State::Issued => assert_eq!(reply.status, 400, "{}", reply.text()),
                // Cancelled before, or expired: either way nothing moves.
                State::GivenBack => {}
            }
        }
        Step::Prove(at) => {
            let Some((order, _, state)) = book.orders.get_mut(at) else {
                return;
            };
            panel.publish(&panel.auth_info(&order.id).await).await;
            panel.look(&order.id).await;
            if *state == State::Open {
                *state = State::Issued;
            }
        }
        Step::ChangeMethod(at) => {
            let Some((order, _, state)) = book.orders.get(at) else {
                return;
            };
            let reply = panel
                .change_method(&order.id, &json!({ "authType": "dns" }))
                .await;
            assert_eq!(
                reply.status == 200,
                *state == State::Open,
                "{}",
                reply.text()
            );
        }
        Step::Wait { days } => {
            server.world().advance(days * 86_400).await;
            if days > 30 {
                // A key is known for thirty days.
                book.of_keys = [const { None }; 3];
                for (_, price, state) in &mut book.orders {
                    if *state == State::Open {
                        (*state, book.cents) = (State::GivenBack, book.cents + *price);
                    }
                }
            }
        }
    }
}
