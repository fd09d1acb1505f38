//! Places for connections: so many in all, so many for each client, and a few that are never given away.
//!
//! A client is an address; of IPv6, a network of 64 bits, and with less room for each a network of 48 bits, for a
//! subscriber may have either ([`crate::clients::Client`]). Trusted proxies stand for many clients and count for none.
//! Who finds no place is let in once more, for a moment: what must always be answered, `/health` and `/pki/`, is
//! answered there, and all else refused with the time to come back. Half of these places are for clients that have
//! used up their own share, so that they take nothing from those that find all places taken by others.
//!
//! Nobody waits where connections are accepted.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::clients::Client;

/// How many connections are let in beyond the limit.
pub(crate) const RESERVE: usize = 64;

/// How many of these one client has.
const RESERVE_OF_ONE: usize = 8;

/// How many times as much as one client a network of 48 bits has.
const OF_NETWORK: usize = 4;

/// How long is waited for a reserved place to become free: who has one is gone within seconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many connections wait for one.
const WAITING: usize = 256;

/// What a connection is good for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Manner {
    /// All requests.
    Open,
    /// What must always be answered.
    Reserved,
}

/// All places.
pub(crate) struct Places {
    open: Arc<Semaphore>,
    /// For those that find all places taken.
    reserve: Arc<Semaphore>,
    /// For those that have used up their share.
    reserve_of_greedy: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    open_of_one: usize,
    taken: Mutex<HashMap<Client, [usize; 2]>>,
}

/// What a connection that was accepted gets.
pub(crate) enum Admission {
    /// A place.
    Place(Place),
    /// A reserved place, once one is free.
    Later(Later),
    /// None: this client has had enough, or too many wait already.
    Refused,
}

/// A place, taken while it lives.
pub(crate) struct Place {
    pub(crate) manner: Manner,
    _permit: OwnedSemaphorePermit,
    _share: Share,
}

/// A connection that waits for a reserved place.
pub(crate) struct Later {
    places: Arc<Places>,
    open: Share,
    reserved: Share,
    _waits: OwnedSemaphorePermit,
}

/// What a client has taken.
struct Share {
    places: Arc<Places>,
    clients: Vec<Client>,
    manner: Manner,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        for client in &self.clients {
            if let Some(of_client) = taken.get_mut(client) {
                of_client[self.manner as usize] -= 1;
                if *of_client == [0, 0] {
                    taken.remove(client);
                }
            }
        }
    }
}

impl Later {
    /// Waits for a place that is free; `None` where none is for too long.
    pub(crate) async fn place(self) -> Option<Place> {
        let reserve = Arc::clone(&self.places.reserve).acquire_owned();
        let permit = timeout(PATIENCE, reserve).await.ok()?.ok()?;
        Some(match Arc::clone(&self.places.open).try_acquire_owned() {
            Ok(permit) => Place::new(permit, self.open),
            Err(_) => Place::new(permit, self.reserved),
        })
    }
}

impl Place {
    fn new(permit: OwnedSemaphorePermit, share: Share) -> Self {
        Self {
            manner: share.manner,
            _permit: permit,
            _share: share,
        }
    }
}

impl Places {
    /// So many in all, and for each client.
    pub(crate) fn new(open: usize, open_of_one: usize) -> Arc<Self> {
        Arc::new(Self {
            open: Arc::new(Semaphore::new(open)),
            reserve: Arc::new(Semaphore::new(RESERVE / 2)),
            reserve_of_greedy: Arc::new(Semaphore::new(RESERVE / 2)),
            waiting: Arc::new(Semaphore::new(WAITING)),
            open_of_one,
            taken: Mutex::default(),
        })
    }

    /// A place for a client, as far as there is one.
    pub(crate) fn admit(self: &Arc<Self>, address: IpAddr, is_proxy: bool) -> Admission {
        let open = self.share(address, Manner::Open, is_proxy);
        if let Some(open) = open {
            if let Ok(permit) = Arc::clone(&self.open).try_acquire_owned() {
                return Admission::Place(Place::new(permit, open));
            }
            let Some(reserved) = self.share(address, Manner::Reserved, is_proxy) else {
                return Admission::Refused;
            };
            if let Ok(permit) = Arc::clone(&self.reserve).try_acquire_owned() {
                return Admission::Place(Place::new(permit, reserved));
            }
            return match Arc::clone(&self.waiting).try_acquire_owned() {
                Ok(waits) => Admission::Later(Later {
                    places: Arc::clone(self),
                    open,
                    reserved,
                    _waits: waits,
                }),
                Err(_) => Admission::Refused,
            };
        }
        let reserved = self.share(address, Manner::Reserved, is_proxy);
        match (
            reserved,
            Arc::clone(&self.reserve_of_greedy).try_acquire_owned(),
        ) {
            (Some(share), Ok(permit)) => Admission::Place(Place::new(permit, share)),
            _ => Admission::Refused,
        }
    }

    fn share(self: &Arc<Self>, address: IpAddr, manner: Manner, is_proxy: bool) -> Option<Share> {
        let of_one = match (is_proxy, manner) {
            (true, _) => usize::MAX,
            (false, Manner::Open) => self.open_of_one,
            (false, Manner::Reserved) => RESERVE_OF_ONE,
        };
        let mut taken = self.lock();
        let clients: Vec<Client> = Client::all_of(address).collect();
        let has_room = |client: &Client| {
            let most = match client {
                Client::Network48(_) => of_one.saturating_mul(OF_NETWORK),
                Client::Address(_) | Client::Network64(_) => of_one,
            };
            taken.get(client).map_or(0, |of| of[manner as usize]) < most
        };
        if !clients.iter().all(has_room) {
            return None;
        }
        for client in &clients {
            taken.entry(*client).or_default()[manner as usize] += 1;
        }
        Some(Share {
            places: Arc::clone(self),
            clients,
            manner,
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Client, [usize; 2]>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// The place that a client gets at once.
    fn place(places: &Arc<Places>, text: &str) -> Option<Place> {
        match places.admit(address(text), false) {
            Admission::Place(place) => Some(place),
            Admission::Later(_) | Admission::Refused => None,
        }
    }

    fn manner(place: &Option<Place>) -> Option<Manner> {
        place.as_ref().map(|place| place.manner)
    }

    #[test]
    fn a_client_has_its_share_and_no_more() {
        let places = Places::new(10, 2);
        let one = "203.0.113.1";
        let _held = [place(&places, one), place(&places, one)];
        let reserved: Vec<_> = (0..RESERVE_OF_ONE).map(|_| place(&places, one)).collect();
        for place in &reserved {
            assert_eq!(manner(place), Some(Manner::Reserved));
        }
        assert!(matches!(
            places.admit(address(one), false),
            Admission::Refused
        ));
        assert!(place(&places, "::ffff:203.0.113.1").is_none());
        assert_eq!(manner(&place(&places, "203.0.113.2")), Some(Manner::Open));
        drop(reserved);
        assert_eq!(manner(&place(&places, one)), Some(Manner::Reserved));
    }

    #[test]
    fn a_network_of_ipv6_is_one_client_and_a_proxy_is_none() {
        let places = Places::new(10, 1);
        let _held = place(&places, "2001:db8::1");
        let neighbour = place(&places, "2001:db8::2");
        assert_eq!(manner(&neighbour), Some(Manner::Reserved));
        let elsewhere = place(&places, "2001:db8:0:1::1");
        assert_eq!(manner(&elsewhere), Some(Manner::Open));
        // Whoever has a network of 48 bits has some more than who has one of 64, and not 65,536 times as much.
        let more: Vec<_> = (2..=OF_NETWORK)
            .map(|at| place(&places, &format!("2001:db8:0:{at}::1")))
            .collect();
        assert_eq!(manner(more.last().unwrap()), Some(Manner::Reserved));
        let other = place(&places, "2001:db8:1::1");
        assert_eq!(manner(&other), Some(Manner::Open));
        let proxies = (0..3).map(|_| places.admit(address("10.0.0.1"), true));
        let held: Vec<_> = proxies.collect();
        let is_open = |admitted: &Admission| matches!(admitted, Admission::Place(place) if place.manner == Manner::Open);
        assert!(held.iter().all(is_open));
    }

    #[test]
    fn what_is_given_back_is_taken_by_others() {
        let places = Places::new(1, 1);
        let held = place(&places, "203.0.113.1");
        let late = place(&places, "203.0.113.2");
        assert_eq!(manner(&held), Some(Manner::Open));
        assert_eq!(manner(&late), Some(Manner::Reserved));
        drop((held, late));
        assert!(places.lock().is_empty());
        assert_eq!(manner(&place(&places, "203.0.113.3")), Some(Manner::Open));
    }

    #[test]
    fn who_is_over_its_share_takes_no_reserved_place_of_others() {
        let places = Places::new(100, 1);
        let mut held = Vec::new();
        for number in 0..16 {
            let one = format!("203.0.113.{number}");
            held.extend((0..=RESERVE_OF_ONE).map(|_| place(&places, &one)));
        }
        let reserved = held
            .iter()
            .filter(|place| manner(place) == Some(Manner::Reserved));
        assert_eq!(reserved.count(), RESERVE / 2);
        // All places are taken now; who was not greedy still gets a reserved one.
        held.extend((100..200).map(|number| place(&places, &format!("198.51.100.{number}"))));
        let late = place(&places, "192.0.2.1");
        assert_eq!(manner(&late), Some(Manner::Reserved));
    }

    #[tokio::test(start_paused = true)]
    async fn who_comes_while_all_is_taken_gets_what_becomes_free() {
        let places = Places::new(1, 1);
        let mut held = vec![place(&places, "203.0.113.1")];
        held.extend((0..RESERVE / 2).map(|number| place(&places, &format!("198.51.100.{number}"))));
        let Admission::Later(later) = places.admit(address("192.0.2.1"), false) else {
            panic!("there is no place");
        };
        let Admission::Later(vain) = places.admit(address("192.0.2.2"), false) else {
            panic!("there is no place");
        };
        let freed = held.split_off(RESERVE / 2);
        let (got, ()) = tokio::join!(later.place(), async { drop(freed) });
        assert_eq!(manner(&got), Some(Manner::Reserved));
        assert!(vain.place().await.is_none());
    }
}
