//! The zones of the OTE world and what they answer.
//!
//! The rules are those of an authoritative server (RFC 1034 §4.3.2), with one addition: every host name in a zone
//! exists and has the address of the OTE web server, unless an A, AAAA or CNAME record was put for it. A name with
//! an underscore label exists only where something was put at or below it. So `TXT _dnsauth.shop.test` is NXDOMAIN
//! until someone publishes there, and `TXT shop.test` is NODATA. Aliases are followed inside the zones. There are
//! no wildcard records and no delegations; outside its zones the server refuses.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, NS, SOA};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use parking_lot::Mutex;

use crate::errors::OteError;
use crate::folders::Folder;
use crate::owner_names::OwnerName;
use crate::records::{Behaviour, RecordKind, RecordSet, RecordSetText};

/// The zones that are always there: the reserved names of RFC 2606.
pub const RESERVED_ZONES: [&str; 5] = [
    "test",
    "example",
    "example.com",
    "example.net",
    "example.org",
];

/// The largest UDP answer, in bytes: what passes most networks unfragmented.
pub(crate) const UDP_LIMIT: u16 = 1232;

const ALIAS_LIMIT: usize = 8;
const HOST_TTL: u32 = 60;

/// The folder whose files name the zones that were added.
const ADDED: &str = "added";

/// The zones and their records; shared between the DNS server and the control surface.
#[derive(Debug)]
pub struct Zones {
    host_address: Ipv4Addr,
    zones_folder: Folder,
    records_folder: Folder,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    zones: BTreeSet<OwnerName>,
    records: BTreeMap<OwnerName, BTreeMap<RecordKind, RecordSet>>,
}

/// A record set with its place, for listings.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PlacedRecordSet {
    /// Whose records these are.
    pub name: OwnerName,
    /// Of which type.
    pub kind: RecordKind,
    /// What was put.
    pub set: RecordSetText,
}

impl Zones {
    /// The reserved zones, kept in memory only.
    pub fn in_memory() -> Self {
        Self {
            host_address: Ipv4Addr::LOCALHOST,
            zones_folder: Folder::in_memory(),
            records_folder: Folder::in_memory(),
            state: Mutex::new(State::reserved()),
        }
    }

    /// The reserved zones and what was left in the folders.
    pub(crate) fn open(zones_folder: Folder, records_folder: Folder) -> Result<Self, OteError> {
        let mut state = State::reserved();
        for entry in zones_folder.read_all()? {
            state.zones.insert(OwnerName::parse(&entry.name)?);
        }
        for entry in records_folder.read_all()? {
            let name = OwnerName::parse(&entry.group)?;
            let kind = RecordKind::parse(&entry.name)?;
            let text = serde_json::from_slice(&entry.content).map_err(|error| {
                OteError::Refused(format!(
                    "the stored {kind} records of {name} are damaged: {error}"
                ))
            })?;
            let set = RecordSet::parse(kind, text)?;
            state.records.entry(name).or_default().insert(kind, set);
        }
        Ok(Self {
            host_address: Ipv4Addr::LOCALHOST,
            zones_folder,
            records_folder,
            state: Mutex::new(state),
        })
    }

    /// Adds a zone; one that is there stays as it is.
    pub fn add_zone(&self, zone: &OwnerName) -> Result<(), OteError> {
        let mut state = self.state.lock();
        if !state.zones.contains(zone) {
            self.zones_folder.write(ADDED, &zone.to_string(), b"")?;
            state.zones.insert(zone.clone());
        }
        Ok(())
    }

    /// Every zone.
    pub fn zones(&self) -> Vec<OwnerName> {
        self.state.lock().zones.iter().cloned().collect()
    }

    /// Puts a record set in the place of the one with the same name and type.
    pub fn put(
        &self,
        name: &OwnerName,
        kind: RecordKind,
        text: RecordSetText,
    ) -> Result<(), OteError> {
        let set = RecordSet::parse(kind, text)?;
        let mut state = self.state.lock();
        state.check_place(name, kind, &set)?;
        let content = serde_json::to_vec(&set.text)
            .map_err(|error| OteError::Refused(format!("the record cannot be kept: {error}")))?;
        self.records_folder
            .write(&name.to_string(), kind.as_str(), &content)?;
        state
            .records
            .entry(name.clone())
            .or_default()
            .insert(kind, set);
        Ok(())
    }

    /// Removes a record set.
    pub fn delete(&self, name: &OwnerName, kind: RecordKind) -> Result<(), OteError> {
        let mut state = self.state.lock();
        let sets = state.records.get_mut(name);
        if !sets.as_ref().is_some_and(|sets| sets.contains_key(&kind)) {
            return Err(OteError::NotFound(format!(
                "there is no {kind} record at {name}"
            )));
        }
        self.records_folder
            .remove(&name.to_string(), kind.as_str())?;
        if let Some(sets) = sets {
            sets.remove(&kind);
            if sets.is_empty() {
                state.records.remove(name);
            }
        }
        Ok(())
    }

    /// Every record set that was put.
    pub fn records(&self) -> Vec<PlacedRecordSet> {
        let state = self.state.lock();
        let sets = state.records.iter().flat_map(|(name, sets)| {
            sets.iter().map(|(kind, set)| PlacedRecordSet {
                name: name.clone(),
                kind: *kind,
                set: set.text.clone(),
            })
        });
        sets.collect()
    }

    /// The answer to a request; `None` where there is to be none.
    pub(crate) fn answer(&self, request: &Message) -> Option<Message> {
        let asked = &request.metadata;
        let mut response = Message::response(asked.id, asked.op_code);
        response.metadata.recursion_desired = asked.recursion_desired;
        response.add_queries(request.queries.iter().cloned());
        if request.edns.is_some() {
            let mut edns = Edns::new();
            edns.set_max_payload(UDP_LIMIT);
            response.set_edns(edns);
        }
        response.metadata.response_code = match request.queries.as_slice() {
            // An answer is not to be answered, or two servers could talk forever.
            _ if asked.message_type == MessageType::Response => return None,
            _ if asked.op_code != OpCode::Query => ResponseCode::NotImp,
            [query] if query.query_type() == RecordType::ANY => ResponseCode::NotImp,
            [query] if query.query_class() != DNSClass::IN => ResponseCode::Refused,
            [query] => self.resolve(query, &mut response)?,
            _ => ResponseCode::FormErr,
        };
        Some(response)
    }

    /// Fills the sections of `response`, and gives its code.
    fn resolve(&self, query: &Query, response: &mut Message) -> Option<ResponseCode> {
        let state = self.state.lock();
        let mut owner = query.name().clone();
        for hop in 0..=ALIAS_LIMIT {
            let Some((name, zone)) = state.locate(&owner) else {
                // An alias may lead out of the zones; the asker's resolver goes on from there.
                return Some(if hop == 0 {
                    ResponseCode::Refused
                } else {
                    ResponseCode::NoError
                });
            };
            response.metadata.authoritative = true;
            match state.find(&name, zone, query.query_type(), self.host_address) {
                Found::Records(ttl, data) => {
                    let records = data.into_iter().map(|data| record(&owner, ttl, data));
                    response.add_answers(records.collect::<Vec<_>>());
                    return Some(ResponseCode::NoError);
                }
                Found::Alias(ttl, target) => {
                    let data = RData::CNAME(CNAME(target.clone()));
                    response.add_answer(record(&owner, ttl, data));
                    owner = target;
                }
                Found::Nothing(code) => {
                    response.add_authority(record(&zone.to_dns(), 0, soa(zone)));
                    return Some(code);
                }
                Found::Failure(code) => return Some(code),
                Found::Silence => return None,
            }
        }
        Some(ResponseCode::NoError)
    }
}

/// What there is for one name and type.
enum Found {
    Records(u32, Vec<RData>),
    Alias(u32, Name),
    Nothing(ResponseCode),
    Failure(ResponseCode),
    Silence,
}

impl State {
    fn reserved() -> Self {
        let zones = RESERVED_ZONES
            .iter()
            .map(|zone| OwnerName::parse(zone).expect("invariant: the reserved zones are names"));
        Self {
            zones: zones.collect(),
            records: BTreeMap::new(),
        }
    }

    fn zone_of(&self, name: &OwnerName) -> Option<&OwnerName> {
        let zones = self.zones.iter().filter(|zone| name.is_at_or_below(zone));
        zones.max_by_key(|zone| zone.depth())
    }

    /// A name asked for, if it lies in a zone.
    fn locate(&self, name: &Name) -> Option<(OwnerName, &OwnerName)> {
        let name = OwnerName::of(name)?;
        let zone = self.zone_of(&name)?;
        Some((name, zone))
    }

    fn check_place(
        &self,
        name: &OwnerName,
        kind: RecordKind,
        set: &RecordSet,
    ) -> Result<(), OteError> {
        if self.zone_of(name).is_none() {
            return Err(OteError::Refused(format!(
                "{name} is in no zone of this server; add one with PUT /ote/zones/{{zone}}"
            )));
        }
        if !matches!(set.behaviour, Behaviour::Records(_)) {
            return Ok(());
        }
        let has_records = |set: &RecordSet| matches!(set.behaviour, Behaviour::Records(_));
        let other = self.records.get(name).and_then(|sets| {
            sets.iter().find(|(other, set)| {
                **other != kind
                    && (kind == RecordKind::Cname || **other == RecordKind::Cname)
                    && has_records(set)
            })
        });
        match other {
            Some((other, _)) => Err(OteError::Refused(format!(
                "{name} has a {other} record already, and a CNAME stands alone (RFC 1034); delete it first"
            ))),
            None if kind == RecordKind::Cname && self.zones.contains(name) => Err(
                OteError::Refused(format!("{name} is a zone, and a zone cannot be an alias")),
            ),
            None => Ok(()),
        }
    }

    fn find(
        &self,
        name: &OwnerName,
        zone: &OwnerName,
        asked: RecordType,
        host_address: Ipv4Addr,
    ) -> Found {
        let empty = BTreeMap::new();
        let sets = self.records.get(name).unwrap_or(&empty);
        let kind = RecordKind::of(asked);
        let chosen = [Some(RecordKind::Any), kind, Some(RecordKind::Cname)];
        if let Some(set) = chosen
            .into_iter()
            .flatten()
            .find_map(|kind| sets.get(&kind))
        {
            return found(set, kind);
        }
        let is_placed = [RecordKind::A, RecordKind::Aaaa]
            .iter()
            .any(|kind| sets.contains_key(kind));
        match asked {
            RecordType::A if name.is_host() && !is_placed => {
                Found::Records(HOST_TTL, vec![RData::A(A(host_address))])
            }
            RecordType::SOA if name == zone => Found::Records(0, vec![soa(zone)]),
            RecordType::NS if name == zone => {
                Found::Records(HOST_TTL, vec![RData::NS(NS(zone.to_dns()))])
            }
            _ if name.is_host() || self.exists(name) => Found::Nothing(ResponseCode::NoError),
            _ => Found::Nothing(ResponseCode::NXDomain),
        }
    }

    /// Whether anything was put at or below the name.
    fn exists(&self, name: &OwnerName) -> bool {
        let next = self.records.range(name..).next();
        next.is_some_and(|(next, _)| next.is_at_or_below(name))
    }
}

fn found(set: &RecordSet, asked: Option<RecordKind>) -> Found {
    let ttl = set.text.ttl;
    match &set.behaviour {
        Behaviour::Silence => Found::Silence,
        Behaviour::Failure(code) => Found::Failure(*code),
        Behaviour::Records(data) => match data.as_slice() {
            [RData::CNAME(target)] if asked != Some(RecordKind::Cname) => {
                Found::Alias(ttl, target.0.clone())
            }
            data => Found::Records(ttl, data.to_vec()),
        },
    }
}

fn record(owner: &Name, ttl: u32, data: RData) -> Record {
    Record::from_rdata(owner.clone(), ttl, data)
}

/// Its last number is how long "there is no such record" may be remembered: not at all.
fn soa(zone: &OwnerName) -> RData {
    let zone = zone.to_dns();
    RData::SOA(SOA::new(zone.clone(), zone, 1, 3600, 600, 86400, 0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Every question is answered with its own id and section, whatever the records make of it.
        #[test]
        fn every_question_gets_an_answer_of_its_own(
            aliases in prop::collection::vec(("[ab_]{1,2}", "[ab_]{1,2}"), 0..8),
            asked in "([ab_]{1,2}\\.)?([ab_]{1,2}\\.)(test|example|edu)",
            kind in any::<u16>(),
            id in any::<u16>(),
        ) {
            let zones = Zones::in_memory();
            for (name, target) in aliases {
                let text = serde_json::from_value(serde_json::json!({
                    "values": [format!("{target}.test")],
                }))?;
                zones.put(&OwnerName::parse(&format!("{name}.test"))?, RecordKind::Cname, text)?;
            }
            let mut request = Message::new(id, MessageType::Query, OpCode::Query);
            let name = OwnerName::parse(&asked)?.to_dns();
            request.add_query(Query::query(name, RecordType::from(kind)));
            let response = zones.answer(&request).expect("nothing here is silent");
            prop_assert_eq!(response.metadata.id, id);
            prop_assert_eq!(&response.queries, &request.queries);
            prop_assert!(response.answers.len() <= ALIAS_LIMIT + 1);
            prop_assert!(response.to_vec().is_ok());
        }
    }
}
