//! Whatever is done, in whatever order: the balance is what a shopkeeper with a pencil would have, every order is
//! paid once or paid back once, and the ledger sums to zero.

use chancery_domain::money::{Currency, Money};
use chancery_domain::orders::OrderId;
use chancery_domain::reseller_settings::{ProofScope, ResellerChanges};
use chancery_domain::resellers::ResellerId;
use chancery_testkit::{Engine, Panel, PlacedOrder, Reply, TestServer, csr, run_server};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;

use crate::money_book::{Book, DOMAINS, Held, RENEWAL_DAYS, Reissued, State, name_of, pass};

/// What a reseller, an operator or the clock may do.
#[derive(Clone, Debug)]
enum Step {
    /// The operator credits so many cents.
    Credit(i64),
    /// The operator takes so many cents off, if there are as many.
    Debit(i64),
    /// The operator corrects the nth credit or debit, perhaps again.
    Correct(usize),
    /// An order below one of a few domains.
    Place(Wanted),
    /// The same under one of a few keys: perhaps again.
    PlaceUnderKey { key: usize },
    /// Cancels the nth order, whatever became of it.
    Cancel(usize),
    /// The operator cancels the nth order, if it has no certificate yet.
    CancelByOperator(usize),
    /// Revokes the certificates of the nth order, if it has any; perhaps since their key is compromised.
    Revoke { at: usize, is_compromised: bool },
    /// Proves the nth order's names.
    Prove(usize),
    /// Changes how the nth order is proved.
    ChangeMethod(usize),
    /// Asks for another certificate of the nth order, with so many names more than it was placed with, perhaps under
    /// its key.
    Reissue {
        at: usize,
        more: usize,
        keeps_key: bool,
    },
    /// Renews the nth order, perhaps again.
    Renew(usize),
    /// The operator says which orders share their proofs.
    ShareProofs(ProofScope),
    /// Drops all proofs there are.
    DropProofs,
    /// Drops all domains that were proved ahead of orders.
    DropDomains,
    /// The operator suspends the reseller for a moment.
    Suspend,
    /// Time goes by.
    Wait { days: i64 },
}

/// What an order is for.
#[derive(Clone, Debug)]
struct Wanted {
    /// Which of the domains.
    domain: usize,
    names: usize,
    /// One name alone, to which the product adds its companion.
    is_single: bool,
    /// With the domain's own CSR, whose key other orders have, too.
    shares_key: bool,
    /// The further names are told by the CSR and not beside it.
    names_in_csr: bool,
    /// The domain is proved ahead of it.
    is_ahead: bool,
}

fn wanted() -> impl Strategy<Value = Wanted> {
    (0..DOMAINS, 1..4_usize, any::<[bool; 4]>()).prop_map(|(domain, names, choices)| {
        let [is_single, shares_key, names_in_csr, is_ahead] = choices;
        let names = if is_single || shares_key { 1 } else { names };
        Wanted {
            domain,
            names,
            is_single,
            shares_key,
            names_in_csr,
            is_ahead,
        }
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        1 => (1..5000_i64).prop_map(Step::Credit),
        1 => (1..5000_i64).prop_map(Step::Debit),
        1 => (0..3_usize).prop_map(Step::Correct),
        5 => wanted().prop_map(Step::Place),
        2 => (0..3_usize).prop_map(|key| Step::PlaceUnderKey { key }),
        3 => (0..8_usize).prop_map(Step::Cancel),
        1 => (0..8_usize).prop_map(Step::CancelByOperator),
        3 => (0..8_usize, any::<bool>()).prop_map(|(at, is_compromised)| Step::Revoke { at, is_compromised }),
        3 => (0..8_usize).prop_map(Step::Prove),
        1 => (0..8_usize).prop_map(Step::ChangeMethod),
        3 => (0..8_usize, 0..3_usize, any::<bool>())
            .prop_map(|(at, more, keeps_key)| Step::Reissue { at, more, keeps_key }),
        2 => (0..8_usize).prop_map(Step::Renew),
        1 => prop::sample::select(ProofScope::ALL.to_vec()).prop_map(Step::ShareProofs),
        1 => Just(Step::DropProofs),
        1 => Just(Step::DropDomains),
        1 => Just(Step::Suspend),
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
    let outcome = runner.run(&(steps(), any::<bool>()), |(steps, is_early)| {
        run_server(engine, async |server| walk(server, &steps, is_early).await);
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

async fn walk(server: &mut TestServer, steps: &[Step], is_early: bool) {
    if is_early {
        server.renew_at_once().await;
    }
    let first = server.another_panel("60.00").await;
    let reseller = server
        .operations()
        .resellers()
        .await
        .unwrap()
        .last()
        .unwrap()
        .id;
    let mut book = Book::new(6000, if is_early { 366 } else { RENEWAL_DAYS });
    for (number, step) in steps.iter().enumerate() {
        // Tokens do not outlive the waiting.
        let panel = first.again().await;
        take(server, &panel, reseller, &mut book, number, step).await;
        let panel = first.again().await;
        book.follow(&panel).await;
        assert_eq!(panel.cents().await, book.cents, "after {step:?}");
        for held in &book.orders {
            let (told, _) = panel.statuses(&held.id).await;
            let allowed: &[&str] = match (held.state, &held.reissue) {
                (State::Open, _) => &["PENDING", "IN_PROCESS"],
                (State::Issued(_), Some(_)) => &["PENDING_REISSUE"],
                (State::Issued(_), _) if held.is_on_edge(book.window) => continue,
                (State::Issued(_), None) if !held.is_in_term(0) => &["EXPIRED"],
                (State::Issued(_), None) if held.is_old() => &["COMPLETED", "EXPIRED"],
                (State::Issued(_), None) => &["COMPLETED"],
                (State::GivenBack, _) => &["CANCELLED", "EXPIRED", "REFUNDED", "REJECTED"],
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
        Step::Place(ref wanted) => place(panel, book, wanted).await,
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
        Step::CancelByOperator(at) => {
            let Some(held) = book.orders.get(at) else {
                return;
            };
            let id = OrderId(held.id.parse().unwrap());
            let done = server.operations().cancel_order(id, "asked for").await;
            let is_open = held.state == State::Open;
            assert_eq!(done.is_ok(), is_open, "{done:?}");
            if is_open {
                book.give_back(at);
            }
        }
        Step::Revoke { at, is_compromised } => revoke(panel, book, at, is_compromised).await,
        Step::Prove(at) => {
            let Some(held) = book.orders.get(at) else {
                return;
            };
            panel.publish(&panel.auth_info(&held.id).await).await;
            panel.look(&held.id).await;
            panel.world.run_due_jobs().await;
            // Else the order comes to nothing, which is noted afterwards.
            if held.state != State::Open || !book.keys[held.key] {
                book.issued(at);
            }
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
        Step::Reissue {
            at,
            more,
            keeps_key,
        } => reissue(panel, book, number, at, more, keeps_key).await,
        Step::Renew(at) => renew(panel, book, at).await,
        Step::ShareProofs(scope) => {
            let changes = ResellerChanges {
                proof_scope: Some(scope),
                ..ResellerChanges::default()
            };
            let set = server.operations().set_reseller(reseller, &changes).await;
            set.unwrap();
            book.has_shared |= scope != ProofScope::Order;
        }
        Step::DropProofs => drop_proofs(panel).await,
        Step::DropDomains => drop_domains(panel).await,
        Step::Suspend => {
            let operations = server.operations();
            let order = panel.order("ssl123", "dns", &["suspended.test"]).await;
            operations
                .suspend_reseller(reseller, "unpaid")
                .await
                .unwrap();
            let placed = panel.http.post("/ssl/v2/orders/new", &order).await;
            assert_eq!(placed.status, 403, "{}", placed.text());
            operations.resume_reseller(reseller, "paid").await.unwrap();
        }
        Step::Wait { days } => {
            server.world().advance(days * 86_400).await;
            pass(book, days);
        }
    }
}

async fn place(panel: &Panel, book: &mut Book, wanted: &Wanted) {
    let domain = wanted.domain;
    let names: Vec<String> = (0..wanted.names).map(|at| name_of(domain, at)).collect();
    let (product, base) = match wanted.is_single {
        true => ("dv-single", 690),
        false => ("ssl123", 1000),
    };
    let mut order = panel.order(product, "dns", &borrowed(&names)).await;
    if wanted.names_in_csr {
        order["csr"] = json!(csr(&borrowed(&names)));
        order.as_object_mut().unwrap().remove("sanfield");
    }
    if wanted.shares_key {
        order["csr"] = json!(book.csrs[domain]);
    }
    if wanted.is_ahead {
        prove_ahead(panel, &format!("shop{domain}.test")).await;
        order["usePrevalidated"] = json!(true);
    }
    let reply = panel.http.post("/ssl/v2/orders/new", &order).await;
    if wanted.shares_key && book.keys[domain] {
        assert_eq!(reply.refusal().about("csr").len(), 1);
        return;
    }
    let key = match wanted.shares_key {
        true => domain,
        false => book.new_key(),
    };
    let held = Held::new(String::new(), names, base, key);
    if book.cents < held.paid {
        poor(&reply);
        return;
    }
    let placed = PlacedOrder::of(&reply);
    book.cents -= held.paid;
    let at = book.orders.len();
    book.orders.push(Held {
        id: placed.id.clone(),
        ..held
    });
    if is_proved(&placed) {
        panel.world.run_due_jobs().await;
        book.issued(at);
    }
}

/// Whether nothing is to be shown any more.
fn is_proved(placed: &PlacedOrder) -> bool {
    let names = placed.challenges();
    names.iter().all(|name| name["status"] == "VALIDATED")
}

/// Revokes, twice over, and moves no money. A key that is compromised is nobody's any more.
async fn revoke(panel: &Panel, book: &mut Book, at: usize, is_compromised: bool) {
    let Some(held) = book.orders.get(at) else {
        return;
    };
    // Which of its keys are still in force is a question of hours.
    let is_compromised = is_compromised && !held.has_older_keys;
    let reason = if is_compromised { 1 } else { 5 };
    let path = format!("/ssl/v2/orders/{}/revoke", held.id);
    for _ in 0..2 {
        let reply = panel.http.post(&path, &json!({ "reason": reason })).await;
        match held.state {
            State::Open => assert_eq!(reply.status, 400, "{}", reply.text()),
            State::Issued(days) if days < 60 => assert_eq!(reply.status, 200, "{}", reply.text()),
            // Its certificate may have ended.
            State::Issued(_) | State::GivenBack => assert!(reply.status < 500, "{}", reply.text()),
        }
        if is_compromised && reply.status == 200 {
            book.keys[held.key] = true;
        }
    }
    panel.world.run_due_jobs().await;
}

/// Shows control of a domain ahead of any order.
async fn prove_ahead(panel: &Panel, domain: &str) {
    let asked = json!({ "domain": domain, "authType": "dns" });
    let data = panel
        .http
        .post("/ssl/v2/domains/validate", &asked)
        .await
        .data();
    if data["domainStatus"] != "VALIDATED" {
        let shown = json!({ "commonName": data["challenge"] });
        panel.publish(&shown).await;
        panel.world.advance(120).await;
    }
}

async fn drop_domains(panel: &Panel) {
    let domains = panel.http.get("/ssl/v2/domains/list").await.data();
    for domain in domains.as_array().unwrap() {
        let path = format!("/ssl/v2/domains/{}", domain["domainId"].as_str().unwrap());
        panel.http.delete(&path).await.data();
    }
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
            let key = book.new_key();
            book.orders
                .push(Held::new(placed.id, vec![name], 1000, key));
        }
        None => assert_eq!(reply.status, 400, "{}", reply.text()),
    }
}

/// Asks for a reissue twice over, as a client does that lost the first answer.
async fn reissue(
    panel: &Panel,
    book: &mut Book,
    number: usize,
    at: usize,
    more: usize,
    keeps_key: bool,
) {
    let Some(held) = book.orders.get(at) else {
        return;
    };
    if held.is_on_edge(book.window) {
        return;
    }
    let more = if held.base == 1000 { more } else { 0 };
    let mut names = vec![held.names[0].clone()];
    names.extend((0..more).map(|at| format!("m{at}.more{number}.test")));
    let mut body = json!({ "sanfield": names[1..] });
    // Without names of its own it would be for all that there were.
    let keeps_key = keeps_key && more > 0;
    if !keeps_key {
        body["csr"] = json!(csr(&[&names[0]]));
    }
    let path = format!("/ssl/v2/orders/{}/reissue", held.id);
    let first = panel.http.post(&path, &body).await;
    let second = panel.http.post(&path, &body).await;
    if !held.is_in_term(0) || (keeps_key && book.keys[held.key]) {
        assert_eq!(first.status, 400, "{}", first.text());
        return;
    }
    let given_back = held.reissue.as_ref().map_or(0, |reissue| reissue.price);
    let price = held.price_of(&names);
    if book.cents + given_back < price {
        poor(&first);
        poor(&second);
        return;
    }
    let placed = PlacedOrder::of(&first);
    assert_eq!(PlacedOrder::of(&second).id, placed.id);
    let key = match keeps_key {
        true => held.key,
        false => book.new_key(),
    };
    book.cents += given_back - price;
    book.orders[at].reissue = Some(Reissued { price, names, key });
    if is_proved(&placed) {
        panel.world.run_due_jobs().await;
        book.issued(at);
    }
}

/// Renews twice over.
async fn renew(panel: &Panel, book: &mut Book, at: usize) {
    let Some(held) = book.orders.get(at) else {
        return;
    };
    if held.is_on_edge(book.window) {
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
    if !held.is_in_term(30) || held.left() > book.window || book.keys[held.key] {
        assert_eq!(first.status, 400, "{}", first.text());
        return;
    }
    let renewal = Held::new(String::new(), held.names.clone(), held.base, held.key);
    if book.cents < renewal.paid {
        poor(&first);
        return;
    }
    assert_eq!(number(&first), number(&second));
    book.cents -= renewal.paid;
    let place = book.orders.len();
    book.orders[at].renewed_by = Some(place);
    book.orders.push(Held {
        id: number(&first),
        renews: Some(at),
        ..renewal
    });
    if panel.statuses(&book.orders[place].id).await.0 != "PENDING" {
        panel.world.run_due_jobs().await;
        book.issued(place);
    }
}

fn borrowed(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

fn poor(reply: &Reply) {
    let message = "Unable to place order due to insufficient balance";
    reply.refusal().is(400, "SSL2400", message);
}
