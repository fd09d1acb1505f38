//! The configured resolvers, asked in turn until one has an answer.
//!
//! A resolver that refuses, fails or cannot be reached is passed over at once; one that is silent is joined by the
//! next after a moment, and whichever answers first counts. One that gave trouble while another answered is asked last
//! for a while. Who failed and how is told with the trouble, for people have several resolvers. Where no resolver
//! would or could be asked, that is a shortage of ours: it goes to the operator's log and is no word about the domain.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chancery_domain::findings::DnsTrouble;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ProtocolConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, Record, RecordType};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::dns::{ResolverError, ResolverSettings};
use crate::dns_sockets::ConnectedSockets;
use crate::excerpts::shown;
use crate::shortages::Shortages;

/// How long a silent resolver is waited for before the next is asked as well.
const NEXT_AFTER: Duration = Duration::from_secs(1);

/// How long a resolver is waited for that is asked whether it answers anything.
const SIGN_OF_LIFE: Duration = Duration::from_secs(2);

/// For how long a resolver that gave trouble is asked last, and one that answered is taken to be alive.
const TROUBLE_LASTS: Duration = Duration::from_secs(30);

/// What one question came to.
pub(crate) enum Answered {
    /// There is an answer section, aliases included.
    Records(Vec<Record>),
    /// The name exists, without such a record.
    NoData,
    /// NXDOMAIN.
    NoSuchName,
    /// Nobody had an answer.
    Not(DnsTrouble),
}

/// Why one resolver had no answer.
#[derive(Clone, Debug)]
enum Trouble {
    /// It was silent.
    Silent,
    /// It says that it could not find out: the domain's servers fail, or DNSSEC does.
    Failed(String),
    /// It would not answer us (REFUSED), or does not understand us.
    Refused(String),
    /// It could not be reached, or we had no means to.
    NotReached(String),
}

/// A handful of resolvers.
#[derive(Clone)]
pub(crate) struct Resolvers {
    servers: Arc<[Server]>,
    told: Arc<str>,
    next_after: Duration,
    deadline: Duration,
    recursive: bool,
    shortages: Arc<Shortages>,
}

struct Server {
    address: SocketAddr,
    client: hickory_resolver::Resolver<ConnectedSockets>,
    /// When it last gave trouble while another answered.
    trouble: Mutex<Option<Instant>>,
    /// When it last answered anything, even that it failed.
    answered: Mutex<Option<Instant>>,
}

impl Resolvers {
    pub(crate) fn new(settings: &ResolverSettings) -> Result<Self, ResolverError> {
        if settings.servers.is_empty() {
            return Err(ResolverError::NoServer);
        }
        let attempts = settings.attempts.max(1);
        let servers = (settings.servers.iter())
            .map(|address| Server::new(*address, settings.timeout, attempts))
            .collect::<Result<Vec<_>, _>>()?;
        let told: Vec<String> = settings.servers.iter().map(SocketAddr::to_string).collect();
        // The client has its own time limit per attempt; this one only bounds what it adds between them.
        let rounds = u32::try_from(attempts + 1).unwrap_or(u32::MAX);
        Ok(Self {
            servers: servers.into(),
            told: told.join(", ").into(),
            next_after: NEXT_AFTER.min(settings.timeout),
            deadline: settings.timeout.saturating_mul(rounds),
            recursive: settings.recursive,
            shortages: Arc::default(),
        })
    }

    /// All of them, as text.
    pub(crate) fn told(&self) -> &str {
        &self.told
    }

    /// Asks until one has an answer.
    pub(crate) async fn ask(&self, name: &Name, kind: RecordType) -> Answered {
        let mut order: Vec<&Server> = self.servers.iter().collect();
        order.sort_by_key(|server| server.is_in_trouble());
        let mut to_ask = order.into_iter();
        let mut asked: FuturesUnordered<BoxFuture<'_, (&Server, Result<Answered, Trouble>)>> =
            FuturesUnordered::new();
        let mut troubles: Vec<(&Server, Trouble)> = Vec::new();
        loop {
            // Every turn of the loop follows a moment's silence or a trouble, so the next is due.
            if let Some(server) = to_ask.next() {
                asked.push(Box::pin(self.ask_one(server, name, kind)));
            }
            let may_ask_more = to_ask.len() > 0;
            tokio::select! {
                answered = asked.next() => match answered {
                    Some((server, Ok(answer))) => {
                        server.trouble.lock().take();
                        self.note(name, &troubles);
                        return answer;
                    }
                    Some((server, Err(trouble))) => troubles.push((server, trouble)),
                    None => {
                        self.look_for_life(&mut troubles).await;
                        return Answered::Not(self.sum_up(name, &troubles));
                    }
                },
                () = tokio::time::sleep(self.next_after), if may_ask_more => {}
            }
        }
    }

    async fn ask_one<'a>(
        &self,
        server: &'a Server,
        name: &Name,
        kind: RecordType,
    ) -> (&'a Server, Result<Answered, Trouble>) {
        let lookup = server.client.lookup(name.clone(), kind);
        let answer = match tokio::time::timeout(self.deadline, lookup).await {
            Ok(Ok(found)) => Ok(Answered::Records(found.answers().to_vec())),
            Ok(Err(error)) => read(&error),
            Err(_) => Err(Trouble::Silent),
        };
        let answer = match answer {
            Err(Trouble::Refused(why)) if !self.recursive => Err(Trouble::Failed(why)),
            other => other,
        };
        if !matches!(answer, Err(Trouble::Silent | Trouble::NotReached(_))) {
            *server.answered.lock() = Some(Instant::now());
        }
        (server, answer)
    }

    /// Tells resolvers that are silent about everything from those that only wait for silent name servers: the
    /// former are a trouble of ours.
    async fn look_for_life(&self, troubles: &mut [(&Server, Trouble)]) {
        let patience = SIGN_OF_LIFE.min(self.deadline / 2);
        let silent = troubles
            .iter_mut()
            .filter(|(server, trouble)| matches!(trouble, Trouble::Silent) && !server.is_alive());
        let looks = silent.map(|(server, trouble)| async move {
            let question = server.client.lookup(Name::root(), RecordType::NS);
            let answer = tokio::time::timeout(patience, question).await;
            match answer.map(|answer| answer.map_err(|error| read(&error))) {
                Ok(Ok(_) | Err(Ok(_) | Err(Trouble::Failed(_) | Trouble::Refused(_)))) => {
                    *server.answered.lock() = Some(Instant::now());
                }
                Ok(Err(Err(Trouble::NotReached(why)))) => *trouble = Trouble::NotReached(why),
                Ok(Err(Err(Trouble::Silent))) | Err(_) => {
                    *trouble = Trouble::NotReached("it answers nothing at all".to_owned());
                }
            }
        });
        futures_util::future::join_all(looks).await;
    }

    /// Marks who gave trouble while another answered, and tells the operator of whom that is a fault.
    fn note(&self, name: &Name, troubles: &[(&Server, Trouble)]) {
        for (server, trouble) in troubles {
            *server.trouble.lock() = Some(Instant::now());
            let (address, name) = (server.address, name.to_ascii());
            if let Trouble::Refused(why) | Trouble::NotReached(why) = trouble
                && self.shortages.is_news(&address.to_string())
            {
                tracing::warn!(resolver = %address, %why, %name, "a resolver is passed over");
            }
        }
    }

    fn sum_up(&self, name: &Name, troubles: &[(&Server, Trouble)]) -> DnsTrouble {
        let told: Vec<String> = (troubles.iter())
            .map(|(server, trouble)| {
                let address = server.address;
                match trouble {
                    Trouble::Silent => format!("no answer in time from resolver {address}"),
                    Trouble::Failed(why) | Trouble::Refused(why) => {
                        format!("{why} from resolver {address}")
                    }
                    Trouble::NotReached(_) => format!("resolver {address} was not reached"),
                }
            })
            .collect();
        let told = shown(&told.join("; "));
        let has = |is: fn(&Trouble) -> bool| troubles.iter().any(|(_, trouble)| is(trouble));
        if has(|trouble| matches!(trouble, Trouble::Failed(_))) {
            return DnsTrouble::Failed(told);
        }
        if has(|trouble| matches!(trouble, Trouble::Silent)) {
            return DnsTrouble::Silent(told);
        }
        for (server, trouble) in troubles {
            if let Trouble::Refused(why) | Trouble::NotReached(why) = trouble
                && self.shortages.is_news(&format!("{why} {}", server.address))
            {
                let (address, name) = (server.address, name.to_ascii());
                tracing::error!(resolver = %address, %why, %name, "no resolver can be asked: looks at the DNS cannot be made");
            }
        }
        DnsTrouble::NotAsked
    }
}

impl Server {
    fn new(address: SocketAddr, timeout: Duration, attempts: usize) -> Result<Self, ResolverError> {
        let connections = [ProtocolConfig::Udp, ProtocolConfig::Tcp]
            .map(|protocol| {
                let mut connection = ConnectionConfig::new(protocol);
                connection.port = address.port();
                connection
            })
            .to_vec();
        // "No such name" is an answer like any other: asking the next server would only hide it.
        let server = NameServerConfig::new(address.ip(), true, connections);
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
        let sockets = ConnectedSockets::default();
        let mut builder = hickory_resolver::Resolver::builder_with_config(config, sockets);
        set_options(builder.options_mut(), timeout, attempts);
        Ok(Self {
            address,
            client: builder.build().map_err(ResolverError::Client)?,
            trouble: Mutex::default(),
            answered: Mutex::default(),
        })
    }

    fn is_alive(&self) -> bool {
        let at = *self.answered.lock();
        at.is_some_and(|at| at.elapsed() < TROUBLE_LASTS)
    }

    fn is_in_trouble(&self) -> bool {
        let since = *self.trouble.lock();
        since.is_some_and(|since| since.elapsed() < TROUBLE_LASTS)
    }
}

fn set_options(options: &mut ResolverOpts, timeout: Duration, attempts: usize) {
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.ndots = 0;
    options.timeout = timeout;
    options.attempts = attempts - 1;
    options.case_randomization = false;
    options.preserve_intermediates = true;
}

fn read(error: &NetError) -> Result<Answered, Trouble> {
    match error {
        NetError::Timeout => Err(Trouble::Silent),
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => Ok(Answered::NoSuchName),
            ResponseCode::NoError => Ok(Answered::NoData),
            code => Err(of_code(code)),
        },
        NetError::Dns(DnsError::ResponseCode(code)) => Err(of_code(*code)),
        NetError::Io(error) => Err(Trouble::NotReached(error.to_string())),
        NetError::Busy | NetError::NoConnections | NetError::Truncated => {
            Err(Trouble::NotReached(error.to_string()))
        }
        other => Err(Trouble::Failed(other.to_string())),
    }
}

/// A failure of the domain's servers is told as SERVFAIL; every other code is between the resolver and us.
fn of_code(code: ResponseCode) -> Trouble {
    match code {
        ResponseCode::ServFail => Trouble::Failed("SERVFAIL".to_owned()),
        ResponseCode::Refused => Trouble::Refused("REFUSED".to_owned()),
        ResponseCode::FormErr => Trouble::Refused("FORMERR".to_owned()),
        ResponseCode::NotImp => Trouble::Refused("NOTIMP".to_owned()),
        ResponseCode::NotAuth => Trouble::Refused("NOTAUTH".to_owned()),
        other => Trouble::Failed(format!("{other} ({})", u16::from(other))),
    }
}
