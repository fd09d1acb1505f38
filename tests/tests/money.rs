//! Whatever is done, in whatever order: the balance is what a shopkeeper with a pencil would have, every order is
//! paid once or paid back once, and the ledger sums to zero.

use chancery_domain::money::{Currency, Money};
use chancery_domain::reseller_settings::{ProofScope, ResellerChanges};
use chancery_domain::resellers::ResellerId;
use chancery_testkit::{Engine, Panel, PlacedOrder, Reply, TestServer, csr, run_server};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

/// What a reseller, an operator or the clock may do.
#[derive(Clone, Debug)]
enum Step {
    /// The operator credits so many cents.
    Credit(i64),
    /// The operator takes so many cents off, if there are as many.
    Debit(i64),
    /// The operator corrects the nth credit or debit, perhaps again.
    Correct(usize),
    /// An order for so many names, perhaps of a domain that is proved ahead of it.
    Place { names: usize, is_ahead: bool },
    /// The same under one of a few keys: perhaps again.
    PlaceUnderKey { key: usize },
    /// Cancels the nth order, whatever became of it.
    Cancel(usize),
    /// Revokes the certificates of the nth order, if it has any.
    Revoke(usize),
    /// Proves the nth order's names.
    Prove(usize),
    /// Changes how the nth order is proved.
    ChangeMethod(usize),
    /// Asks for another certificate of the nth order, with so many names more than it was placed with.
    Reissue { at: usize, more: usize },
    /// Renews the nth order, perhaps again.
    Renew(usize),
    /// The operator says which orders share their proofs.
    ShareProofs(ProofScope),
    /// Drops all proofs there are.
    DropProofs,
    /// Time goes by.
    Wait { days: i64 },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        1 => (1..5000_i64).prop_map(Step::Credit),
        1 => (1..5000_i64).prop_map(Step::Debit),
        1 => (0..3_usize).prop_map(Step::Correct),
        4 => (1..4_usize, any::<bool>()).prop_map(|(names, is_ahead)| Step::Place { names, is_ahead }),
        2 => (0..3_usize).prop_map(|key| Step::PlaceUnderKey { key }),
        3 => (0..8_usize).prop_map(Step::Cancel),
        2 => (0..8_usize).prop_map(Step::Revoke),
        3 => (0..8_usize).prop_map(Step::Prove),
        1 => (0..8_usize).prop_map(Step::ChangeMethod),
        3 => (0..8_usize, 0..3_usize).prop_map(|(at, more)| Step::Reissue { at, more }),
        2 => (0..8_usize).prop_map(Step::Renew),
        1 => prop::sample::select(ProofScope::ALL.to_vec()).prop_map(Step::ShareProofs),
        1 => Just(Step::DropProofs),
        1 => prop_oneof![Just(1_i64), Just(31_i64), Just(150_i64)]
            .prop_map(|days| Step::Wait { days }),
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
    /// Since so many days; may be given back while they are fewer than 30.
    Issued(i64),
    GivenBack,
}

/// An order, as the shopkeeper sees it.
struct Held {
    id: String,
    names: Vec<String>,
    /// What was paid for it and not given back, a reissue under way left out.
    paid: i64,
    /// Further names that are paid for.
    further: usize,
    /// What a reissue under way has cost, and its names.
    reissue: Option<(i64, Vec<String>)>,
    renewed_by: Option<usize>,
    renews: Option<usize>,
    state: State,
    /// How many days its term has, what it took over from the order it renews among them.
    term: i64,
}

impl Held {
    fn new(id: String, names: Vec<String>, paid: i64) -> Self {
        Self {
            id,
            further: names.len() - 1,
            names,
            paid,
            reissue: None,
            renewed_by: None,
            renews: None,
            state: State::Open,
            term: 365,
        }
    }

    /// Its names are proved, and what was under way is issued.
    fn issued(&mut self) {
        if self.state == State::Open {
            self.state = State::Issued(0);
        }
        if let Some((price, names)) = self.reissue.take() {
            self.paid += price;
            self.further = self.further.max(names.len() - 1);
            self.names = names;
        }
    }

    fn price_of(&self, names: &[String]) -> i64 {
        1000 * i64::try_from((names.len() - 1).saturating_sub(self.further)).unwrap()
    }

    fn is_in_term(&self, grace: i64) -> bool {
        matches!(self.state, State::Issued(days) if days < self.term + grace)
    }

    /// How many days of its term are left.
    fn left(&self) -> i64 {
        match self.state {
            State::Issued(days) => (self.term - days).max(0),
            State::Open | State::GivenBack => 0,
        }
    }

    /// Whether a day more or less, as calendars have it, would be another answer.
    fn is_on_edge(&self) -> bool {
        let days = match self.state {
            State::Issued(days) => days,
            State::Open | State::GivenBack => return false,
        };
        [self.term, self.term + 30, self.term - 366]
            .iter()
            .any(|edge| (days - edge).abs() < 3)
    }

    /// Whether it has been in its term for so long that its certificate may have run out, and the platform may be
    /// replacing it.
    fn is_old(&self) -> bool {
        matches!(self.state, State::Issued(days) if days > 60)
    }
}

/// What the shopkeeper notes down.
struct Book {
    cents: i64,
    /// What the operator moved: the entry, by how much, and whether that was corrected.
    moved: Vec<(i64, i64, bool)>,
    orders: Vec<Held>,
    /// What was sent under each key, and which order that became.
    of_keys: [Option<(Value, Option<usize>)>; 3],
}

impl Book {
    /// Gives back all that an order has cost.
    fn give_back(&mut self, at: usize) {
        let held = &mut self.orders[at];
        let pending = held.reissue.take().map_or(0, |(price, _)| price);
        self.cents += held.paid + pending;
        held.state = State::GivenBack;
        if let Some(renewed) = held.renews {
            self.orders[renewed].renewed_by = None;
        }
    }
}

async fn walk(server: &mut TestServer, steps: &[Step]) {
    server.renew_at_once().await;
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
        moved: Vec::new(),
        orders: Vec::new(),
        of_keys: [const { None }; 3],
    };
    for (number, step) in steps.iter().enumerate() {
        // Tokens do not outlive the waiting.
        let panel = first.again().await;
        take(server, &panel, reseller, &mut book, number, step).await;
        let panel = first.again().await;
        assert_eq!(panel.cents().await, book.cents, "after {step:?}");
        for held in &book.orders {
            let (told, _) = panel.statuses(&held.id).await;
            let allowed: &[&str] = match (held.state, &held.reissue) {
                (State::Open, _) => &["PENDING", "IN_PROCESS"],
                (State::Issued(_), Some(_)) => &["PENDING_REISSUE"],
                (State::Issued(_), _) if held.is_on_edge() => continue,
                (State::Issued(_), None) if !held.is_in_term(0) => &["EXPIRED"],
                (State::Issued(_), None) if held.is_old() => &["COMPLETED", "EXPIRED"],
                (State::Issued(_), None) => &["COMPLETED"],
                (State::GivenBack, _) => &["CANCELLED", "EXPIRED", "REFUNDED"],
            };
            let (id, state) = (&held.id, held.state);
            assert!(
                allowed.contains(&&told[..]),
                "{id} is {told}, not {state:?}, after {step:?}"
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
            let credited = server.operations().credit(reseller, amount, None).await;
            let entry = credited.unwrap().entry.unwrap();
            book.cents += cents;
            book.moved.push((entry, cents, false));
        }
        Step::Debit(cents) => {
            let amount = Money {
                minor: cents,
                currency: Currency::parse("USD").unwrap(),
            };
            let debited = server.operations().debit(reseller, amount, "a gift").await;
            assert_eq!(debited.is_ok(), book.cents >= cents, "{debited:?}");
            if let Ok(moved) = debited {
                assert_eq!(moved.amount.minor, -cents);
                book.cents -= cents;
                book.moved.push((moved.entry, -cents, false));
            }
        }
        Step::Correct(at) => {
            let Some((entry, cents, is_corrected)) = book.moved.get_mut(at) else {
                return;
            };
            let corrected = server
                .operations()
                .correct(reseller, *entry, "a mistake")
                .await;
            let may_be = !*is_corrected && book.cents >= *cents;
            assert_eq!(corrected.is_ok(), may_be, "{corrected:?}");
            if may_be {
                book.cents -= *cents;
                *is_corrected = true;
            }
        }
        Step::Place { names, is_ahead } => {
            let names = (0..names).map(|at| format!("s{at}.shop{number}.test"));
            let names: Vec<String> = names.collect();
            let price = 1000 * i64::try_from(names.len()).unwrap();
            let mut order = panel.order("ssl123", "dns", &borrowed(&names)).await;
            if is_ahead {
                prove_ahead(panel, &format!("shop{number}.test")).await;
                order["usePrevalidated"] = json!(true);
            }
            let reply = panel.http.post("/ssl/v2/orders/new", &order).await;
            if book.cents >= price {
                book.cents -= price;
                let mut held = Held::new(PlacedOrder::of(&reply).id, names, price);
                if is_ahead {
                    panel.world.run_due_jobs().await;
                    held.issued();
                }
                book.orders.push(held);
            } else {
                poor(&reply);
            }
        }
        Step::PlaceUnderKey { key } => place_under_key(panel, book, number, key).await,
        Step::Cancel(at) => {
            let Some(held) = book.orders.get(at) else {
                return;
            };
            let reply = panel.cancel(&held.id).await;
            match held.state {
                State::Open => {
                    reply.data();
                    book.give_back(at);
                }
                State::Issued(days) if days < 30 && held.renewed_by.is_none() => {
                    assert_eq!(reply.status, 200, "{}", reply.text());
                    book.give_back(at);
                }
                State::Issued(_) => assert_eq!(reply.status, 400, "{}", reply.text()),
                // Cancelled before, or expired: either way nothing moves.
                State::GivenBack => {}
            }
        }
        Step::Revoke(at) => {
            let Some(held) = book.orders.get(at) else {
                return;
            };
            let path = format!("/ssl/v2/orders/{}/revoke", held.id);
            let reply = panel.http.post(&path, &json!({ "reason": 5 })).await;
            // Whatever became of it, nothing moves.
            let was_issued = held.state != State::Open;
            assert!(was_issued || reply.status == 400, "{}", reply.text());
        }
        Step::Prove(at) => {
            let Some(held) = book.orders.get(at) else {
                return;
            };
            panel.publish(&panel.auth_info(&held.id).await).await;
            panel.look(&held.id).await;
            let left = held.renews.map_or(0, |at| book.orders[at].left());
            let held = &mut book.orders[at];
            if held.state == State::Open {
                held.term += left;
            }
            held.issued();
        }
        Step::ChangeMethod(at) => {
            let Some(held) = book.orders.get(at) else {
                return;
            };
            let body = json!({ "authType": "dns" });
            let reply = panel.change_method(&held.id, &body).await;
            let is_open = held.state == State::Open || held.reissue.is_some();
            if !held.is_old() {
                assert_eq!(reply.status == 200, is_open, "{}", reply.text());
            }
        }
        Step::Reissue { at, more } => reissue(panel, book, number, at, more).await,
        Step::Renew(at) => renew(panel, book, at).await,
        Step::ShareProofs(scope) => {
            let changes = ResellerChanges {
                proof_scope: Some(scope),
                ..ResellerChanges::default()
            };
            let set = server.operations().set_reseller(reseller, &changes).await;
            set.unwrap();
        }
        Step::DropProofs => drop_proofs(panel).await,
        Step::Wait { days } => {
            server.world().advance(days * 86_400).await;
            pass(book, days);
        }
    }
}

/// Shows control of a domain ahead of any order.
async fn prove_ahead(panel: &Panel, domain: &str) {
    let asked = json!({ "domain": domain, "authType": "dns" });
    let data = panel
        .http
        .post("/ssl/v2/domains/validate", &asked)
        .await
        .data();
    let shown = json!({ "commonName": data["challenge"] });
    panel.publish(&shown).await;
    panel.world.advance(10).await;
}

async fn drop_proofs(panel: &Panel) {
    let proofs = panel.http.get("/ssl/v2/proofs/list").await.data();
    for proof in proofs.as_array().unwrap() {
        let path = format!("/ssl/v2/proofs/{}", proof["proofId"].as_str().unwrap());
        // One takes older ones of its kind with it.
        let status = panel.http.delete(&path).await.status;
        assert!([200, 400].contains(&status), "{status}");
    }
}

async fn place_under_key(panel: &Panel, book: &mut Book, number: usize, key: usize) {
    if book.of_keys[key].is_none() {
        let name = format!("key{key}.shop{number}.test");
        book.of_keys[key] = Some((panel.order("ssl123", "dns", &[&name]).await, None));
    }
    let (order, placed) = book.of_keys[key].as_mut().unwrap();
    let reply = panel.place_under_key(&format!("key-{key}"), order).await;
    match placed {
        Some(at) => assert_eq!(PlacedOrder::of(&reply).id, book.orders[*at].id),
        None if book.cents >= 1000 => {
            book.cents -= 1000;
            *placed = Some(book.orders.len());
            let placed = PlacedOrder::of(&reply);
            let name = placed.challenges()[0]["name"].as_str().unwrap().to_owned();
            book.orders.push(Held::new(placed.id, vec![name], 1000));
        }
        None => assert_eq!(reply.status, 400, "{}", reply.text()),
    }
}

/// Asks for a reissue twice over, as a client does that lost the first answer.
async fn reissue(panel: &Panel, book: &mut Book, number: usize, at: usize, more: usize) {
    let Some(held) = book.orders.get_mut(at) else {
        return;
    };
    if held.is_on_edge() {
        return;
    }
    let mut names = vec![held.names[0].clone()];
    names.extend((0..more).map(|at| format!("m{at}.more{number}.test")));
    let body = json!({ "csr": csr(&[&names[0]]), "sanfield": names[1..] });
    let path = format!("/ssl/v2/orders/{}/reissue", held.id);
    let first = panel.http.post(&path, &body).await;
    let second = panel.http.post(&path, &body).await;
    if !held.is_in_term(0) {
        assert_eq!(first.status, 400, "{}", first.text());
        return;
    }
    let given_back = held.reissue.as_ref().map_or(0, |(price, _)| *price);
    let price = held.price_of(&names);
    if book.cents + given_back < price {
        poor(&first);
        poor(&second);
        return;
    }
    let placed = PlacedOrder::of(&first);
    assert_eq!(PlacedOrder::of(&second).id, placed.id);
    book.cents += given_back - price;
    held.reissue = Some((price, names));
    if placed
        .challenges()
        .iter()
        .all(|name| name["status"] == "VALIDATED")
    {
        panel.world.run_due_jobs().await;
        held.issued();
    }
}

/// Renews twice over.
async fn renew(panel: &Panel, book: &mut Book, at: usize) {
    let Some(held) = book.orders.get(at) else {
        return;
    };
    if held.is_on_edge() {
        return;
    }
    let path = format!("/ssl/v2/orders/{}/renew", held.id);
    let body = json!({ "term": 1 });
    let first = panel.http.post(&path, &body).await;
    let second = panel.http.post(&path, &body).await;
    let number = |reply: &Reply| {
        reply.data()["renewOrder"]["orderId"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    if let Some(renewal) = held.renewed_by {
        assert_eq!(number(&first), book.orders[renewal].id);
        return;
    }
    if !held.is_in_term(30) || held.left() > 366 {
        assert_eq!(first.status, 400, "{}", first.text());
        return;
    }
    let price = 1000 * i64::try_from(held.names.len()).unwrap();
    if book.cents < price {
        poor(&first);
        return;
    }
    assert_eq!(number(&first), number(&second));
    book.cents -= price;
    let mut renewal = Held::new(number(&first), held.names.clone(), price);
    renewal.renews = Some(at);
    if panel.statuses(&renewal.id).await.0 != "PENDING" {
        panel.world.run_due_jobs().await;
        renewal.term += held.left();
        renewal.issued();
    }
    let place = book.orders.len();
    book.orders[at].renewed_by = Some(place);
    book.orders.push(renewal);
}

/// What days bring: what is open for more than thirty is given back.
fn pass(book: &mut Book, days: i64) {
    for at in 0..book.orders.len() {
        let held = &mut book.orders[at];
        if let State::Issued(age) = &mut held.state {
            *age += days;
        }
        if days < 30 {
            continue;
        }
        if held.state == State::Open {
            book.give_back(at);
        } else if let Some((price, _)) = held.reissue.take() {
            book.cents += price;
        }
    }
    if days > 30 {
        // A key is known for thirty days.
        book.of_keys = [const { None }; 3];
    }
}

fn borrowed(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

fn poor(reply: &Reply) {
    let message = "Unable to place order due to insufficient balance";
    reply.refusal().is(400, "SSL2400", message);
}
