//! What a shopkeeper with a pencil knows of orders, balances and keys.

use chancery_testkit::{Panel, csr};
use serde_json::Value;

/// How many domains there are, so that orders share them.
pub const DOMAINS: usize = 3;

/// How many days before the end of a term it may be renewed, where the catalogue says nothing else.
pub const RENEWAL_DAYS: i64 = 90;

/// The nth name below a domain.
pub fn name_of(domain: usize, at: usize) -> String {
    format!("s{at}.shop{domain}.test")
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    Open,
    /// Since so many days; may be given back while they are fewer than 30.
    Issued(i64),
    GivenBack,
}

/// A reissue under way.
pub struct Reissued {
    pub price: i64,
    pub names: Vec<String>,
    pub key: usize,
}

/// An order, as the shopkeeper sees it.
pub struct Held {
    pub id: String,
    pub names: Vec<String>,
    /// What its first name costs.
    pub base: i64,
    /// The key of its latest certificate, or of the one to come.
    pub key: usize,
    /// Whether certificates with another key may be in force, too.
    pub has_older_keys: bool,
    /// What was paid for it and not given back, a reissue under way left out.
    pub paid: i64,
    /// How many further names are paid for.
    pub further: i64,
    pub reissue: Option<Reissued>,
    pub renewed_by: Option<usize>,
    pub renews: Option<usize>,
    pub state: State,
    /// How many days its term has, what it took over from the order it renews among them.
    pub term: i64,
}

impl Held {
    pub fn new(id: String, names: Vec<String>, base: i64, key: usize) -> Self {
        let paid = base + 1000 * count(&names[1..]);
        Self {
            id,
            base,
            key,
            has_older_keys: false,
            further: count(&names[1..]),
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
    pub fn issued(&mut self) {
        if self.state == State::Open {
            self.state = State::Issued(0);
        }
        if let Some(reissue) = self.reissue.take() {
            self.paid += reissue.price;
            self.further = self.further.max(count(&reissue.names[1..]));
            self.names = reissue.names;
            self.has_older_keys |= self.key != reissue.key;
            self.key = reissue.key;
        }
    }

    pub fn price_of(&self, names: &[String]) -> i64 {
        1000 * (count(&names[1..]) - self.further).max(0)
    }

    pub fn is_in_term(&self, grace: i64) -> bool {
        matches!(self.state, State::Issued(days) if days < self.term + grace)
    }

    /// How many days of its term are left.
    pub fn left(&self) -> i64 {
        match self.state {
            State::Issued(days) => (self.term - days).max(0),
            State::Open | State::GivenBack => 0,
        }
    }

    /// Whether a day more or less, as calendars have it, would be another answer.
    pub fn is_on_edge(&self, window: i64) -> bool {
        let days = match self.state {
            State::Issued(days) => days,
            State::Open | State::GivenBack => return false,
        };
        [self.term, self.term + 30, self.term - window]
            .iter()
            .any(|edge| (days - edge).abs() < 3)
    }

    /// Whether it has been in its term for so long that its certificate may have run out, and the platform may be
    /// replacing it.
    pub fn is_old(&self) -> bool {
        matches!(self.state, State::Issued(days) if days > 60)
    }
}

pub fn count<T>(things: &[T]) -> i64 {
    i64::try_from(things.len()).unwrap()
}

/// What the shopkeeper notes down.
pub struct Book {
    pub cents: i64,
    /// How many days before the end of their terms orders may be renewed.
    pub window: i64,
    /// The CSR that orders below each domain share; its key has the domain's number.
    pub csrs: [String; DOMAINS],
    /// Whether each key is blocked; those of the domains come first.
    pub keys: Vec<bool>,
    /// Whether proofs were ever shared by more than an order.
    pub has_shared: bool,
    /// What the operator moved: the entry, by how much, and whether that was corrected.
    pub moved: Vec<(i64, i64, bool)>,
    pub orders: Vec<Held>,
    /// What was sent under each key, and which order that became.
    pub of_keys: [Option<(Value, Option<usize>)>; 3],
}

impl Book {
    pub fn new(cents: i64, window: i64) -> Self {
        Self {
            cents,
            window,
            csrs: std::array::from_fn(|domain| csr(&[&name_of(domain, 0)])),
            keys: vec![false; DOMAINS],
            has_shared: false,
            moved: Vec::new(),
            orders: Vec::new(),
            of_keys: [const { None }; 3],
        }
    }

    pub fn new_key(&mut self) -> usize {
        self.keys.push(false);
        self.keys.len() - 1
    }

    /// Takes note of what the platform does by itself: an order whose names somebody else's proof covers is issued,
    /// one whose key is blocked comes to nothing.
    pub async fn follow(&mut self, panel: &Panel) {
        for at in 0..self.orders.len() {
            let held = &self.orders[at];
            if held.state != State::Open {
                continue;
            }
            let (told, _) = panel.statuses(&held.id).await;
            if told == "COMPLETED" && self.has_shared {
                self.issued(at);
            } else if told == "REJECTED" && self.keys[held.key] {
                self.give_back(at);
            }
        }
    }

    /// The names of an order are proved.
    pub fn issued(&mut self, at: usize) {
        let left = self.orders[at]
            .renews
            .map_or(0, |at| self.orders[at].left());
        let held = &mut self.orders[at];
        if held.state == State::Open {
            held.term += left;
        }
        held.issued();
    }

    /// Gives back all that an order has cost.
    pub fn give_back(&mut self, at: usize) {
        let held = &mut self.orders[at];
        let pending = held.reissue.take().map_or(0, |reissue| reissue.price);
        self.cents += held.paid + pending;
        held.state = State::GivenBack;
        if let Some(renewed) = held.renews {
            self.orders[renewed].renewed_by = None;
        }
    }
}

/// What days bring: what is open for more than thirty is given back.
pub fn pass(book: &mut Book, days: i64) {
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
        } else if let Some(reissue) = held.reissue.take() {
            book.cents += reissue.price;
        }
    }
    if days > 30 {
        // A key is known for thirty days.
        book.of_keys = [const { None }; 3];
    }
}
