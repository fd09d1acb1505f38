//! Looks that are asked for, bounded by whom they strike.
//!
//! Each issuance paces its own looks; a thousand orders for one name would still strike one web server a
//! thousand times. So a reseller gets one early look at a base domain in a while, whatever the orders. The
//! memory is this process's own and small; looks by themselves do not count.

use std::collections::HashMap;
use std::sync::Arc;

use chancery_domain::Timestamp;
use chancery_domain::looks::is_look_over;
use chancery_domain::names::DomainName;
use chancery_domain::resellers::ResellerId;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many pairs of reseller and domain are remembered; when all are recent, no more are let in.
const CAPACITY: usize = 8_192;

/// How many looks are brought forward at once that nobody waits for; more are left as they are.
const AT_ONCE: usize = 64;

/// When which reseller had which base domain looked at early.
pub(crate) struct EarlyLooks {
    looks: Mutex<HashMap<(ResellerId, DomainName), Timestamp>>,
    turns: Arc<Semaphore>,
}

impl Default for EarlyLooks {
    fn default() -> Self {
        Self {
            looks: Mutex::default(),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl EarlyLooks {
    /// The right to bring a look forward in the background, while it is kept.
    pub(crate) fn turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.turns).try_acquire_owned().ok()
    }

    /// Whether a look at all of these names may be made now; notes it if so.
    pub(crate) fn admit<'a>(
        &self,
        reseller: ResellerId,
        names: impl Iterator<Item = &'a DomainName>,
        now: Timestamp,
    ) -> bool {
        let base = |name: &DomainName| name.base_domain().unwrap_or_else(|| name.clone());
        let keys: Vec<_> = names.map(|name| (reseller, base(name))).collect();
        let mut looks = self.looks.lock();
        let is_recent = |at: &Timestamp| !is_look_over(*at, now);
        if looks.len() + keys.len() > CAPACITY {
            looks.retain(|_, at| is_recent(at));
        }
        let is_full = looks.len() + keys.len() > CAPACITY;
        if is_full || keys.iter().any(|key| looks.get(key).is_some_and(is_recent)) {
            return false;
        }
        looks.extend(keys.into_iter().map(|key| (key, now)));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    fn names(list: &[&str]) -> Vec<DomainName> {
        list.iter()
            .map(|text| DomainName::parse(text).unwrap())
            .collect()
    }

    #[test]
    fn one_domain_is_looked_at_once_in_a_while_whatever_the_orders() {
        let looks = EarlyLooks::default();
        let admit = |reseller, list: &[&str], seconds| {
            looks.admit(ResellerId(reseller), names(list).iter(), at(seconds))
        };
        assert!(admit(1, &["a.shop.example", "b.shop.example"], 0));
        assert!(!admit(1, &["c.shop.example"], 4));
        assert!(!admit(1, &["other.example", "shop.example"], 4));
        assert!(admit(1, &["other.example"], 4));
        assert!(admit(2, &["shop.example"], 4));
        assert!(admit(1, &["shop.example"], 5));
    }

    #[test]
    fn the_memory_stays_small() {
        let looks = EarlyLooks::default();
        let many = |count: usize| {
            let all = (0..count).map(|at| format!("shop{at}.example"));
            all.collect::<Vec<_>>()
        };
        let many = many(CAPACITY);
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(looks.admit(ResellerId(1), names(&many).iter(), at(0)));
        assert!(!looks.admit(ResellerId(1), names(&["more.example"]).iter(), at(1)));
        assert!(looks.admit(ResellerId(1), names(&["more.example"]).iter(), at(5)));
        assert_eq!(looks.looks.lock().len(), 1);
    }
}
