//! Places for connections: so many in all, so many for each client, and a few that are never given away.
//!
//! A client is an address; of IPv6, a network of 64 bits, which is what one subscriber has (RFC 6177). Trusted proxies
//! stand for many clients and count for none. Who finds no place is let in once more, for a moment: what must always be
//! answered, `/health` and `/pki/`, is answered there, and all else refused with the time to come back.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many connections are let in beyond the limit.
pub(crate) const RESERVE: usize = 64;

/// How many of these one client has.
const RESERVE_OF_ONE: usize = 8;

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
    reserve: Arc<Semaphore>,
    open_of_one: usize,
    taken: Mutex<HashMap<Client, [usize; 2]>>,
}

/// A place, taken while it lives.
pub(crate) struct Place {
    pub(crate) manner: Manner,
    _permit: OwnedSemaphorePermit,
    _share: Share,
}

#[derive(Clone, Copy, Eq, Hash, PartialEq)]
struct Client(u128);

/// What a client has taken.
struct Share {
    places: Arc<Places>,
    client: Client,
    manner: Manner,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        if let Some(of_client) = taken.get_mut(&self.client) {
            of_client[self.manner as usize] -= 1;
            if *of_client == [0, 0] {
                taken.remove(&self.client);
            }
        }
    }
}

impl Client {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(four) => Self(u128::from(u32::from(four))),
            IpAddr::V6(six) => Self(six.to_bits() >> 64 << 64),
        }
    }
}

impl Places {
    /// So many in all, and for each client.
    pub(crate) fn new(open: usize, open_of_one: usize) -> Arc<Self> {
        Arc::new(Self {
            open: Arc::new(Semaphore::new(open)),
            reserve: Arc::new(Semaphore::new(RESERVE)),
            open_of_one,
            taken: Mutex::default(),
        })
    }

    /// A place for a client; waits while there is none for anybody. `None` where this client has had enough.
    pub(crate) async fn take(self: &Arc<Self>, address: IpAddr, is_proxy: bool) -> Option<Place> {
        let client = Client::of(address);
        let place = |permit, share: Share| Place {
            manner: share.manner,
            _permit: permit,
            _share: share,
        };
        let open = self.share(client, Manner::Open, is_proxy);
        if let Some(open) = open
            && let Ok(permit) = Arc::clone(&self.open).try_acquire_owned()
        {
            return Some(place(permit, open));
        }
        let reserved = self.share(client, Manner::Reserved, is_proxy)?;
        let permit = Arc::clone(&self.reserve).acquire_owned().await.ok()?;
        Some(place(permit, reserved))
    }

    fn share(self: &Arc<Self>, client: Client, manner: Manner, is_proxy: bool) -> Option<Share> {
        let most = match (is_proxy, manner) {
            (true, _) => usize::MAX,
            (false, Manner::Open) => self.open_of_one,
            (false, Manner::Reserved) => RESERVE_OF_ONE,
        };
        let mut taken = self.lock();
        let of_client = &mut taken.entry(client).or_default()[manner as usize];
        if *of_client >= most {
            return None;
        }
        *of_client += 1;
        Some(Share {
            places: Arc::clone(self),
            client,
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

    #[tokio::test]
    async fn a_client_has_its_share_and_no_more() {
        let places = Places::new(10, 2);
        let one = address("203.0.113.1");
        let _held = [
            places.take(one, false).await.unwrap(),
            places.take(one, false).await.unwrap(),
        ];
        let mut reserved = Vec::new();
        for _ in 0..RESERVE_OF_ONE {
            let place = places.take(one, false).await.unwrap();
            assert_eq!(place.manner, Manner::Reserved);
            reserved.push(place);
        }
        assert!(places.take(one, false).await.is_none());
        let mapped = address("::ffff:203.0.113.1");
        assert!(places.take(mapped, false).await.is_none());
        let other = places.take(address("203.0.113.2"), false).await.unwrap();
        assert_eq!(other.manner, Manner::Open);
        drop(reserved);
        let again = places.take(one, false).await.unwrap();
        assert_eq!(again.manner, Manner::Reserved);
    }

    #[tokio::test]
    async fn a_network_of_ipv6_is_one_client_and_a_proxy_is_none() {
        let places = Places::new(10, 1);
        let _held = places.take(address("2001:db8::1"), false).await.unwrap();
        let neighbour = places.take(address("2001:db8::2"), false).await.unwrap();
        assert_eq!(neighbour.manner, Manner::Reserved);
        let elsewhere = places.take(address("2001:db8:0:1::1"), false).await;
        assert_eq!(elsewhere.unwrap().manner, Manner::Open);
        let proxy = address("10.0.0.1");
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(places.take(proxy, true).await.unwrap());
        }
        assert!(held.iter().all(|place| place.manner == Manner::Open));
    }

    #[tokio::test]
    async fn what_is_given_back_is_taken_by_others() {
        let places = Places::new(1, 1);
        let held = places.take(address("203.0.113.1"), false).await.unwrap();
        let late = places.take(address("203.0.113.2"), false).await.unwrap();
        assert_eq!((held.manner, late.manner), (Manner::Open, Manner::Reserved));
        drop((held, late));
        assert!(places.lock().is_empty());
        let next = places.take(address("203.0.113.3"), false).await.unwrap();
        assert_eq!(next.manner, Manner::Open);
    }
}
