//! Putting the parts together, starting them, and stopping them in order.

use std::fs::{self, DirBuilder, File};
use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use chancery_app::{
    App, AppError, Authorities, AuthoritySettings, CatalogueFileError, Clock, MasterKeyError,
    Operations, Parts, RecordStanding, Retention, Rotated, Settings, VettingPolicy,
    built_in_catalogue, check_master_key, keep_record, open_token_key, parse_catalogue, standing,
};
use chancery_domain::SignedDuration;
use chancery_domain::catalogue::Catalogue;
use chancery_domain::names::World;
use chancery_domain::validity::{ValidityRules, ValidityRulesError, days};
use chancery_domain::vetting::DualControl;
use chancery_issuers::CaSettings;
use chancery_ote::OteError;
use chancery_outside::dcv::Dcv;
use chancery_outside::dns::{Resolver, ResolverError, ResolverSettings};
use chancery_outside::mail::{Mailer, MailerError, SmtpCredentials, SmtpSettings, SmtpTls};
use chancery_outside::probe::{HttpProbe, ProbePolicy};
use chancery_store::{DatabaseUrl, DatabaseUrlError, Engine, Store, StoreError, StoreSettings};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::{Config, ConfigError, OteVetting, TlsMode, TwoOperators};
use crate::first_start::{OteAccount, refuse_other_mode};
use crate::ote::OutsideWorld;
use crate::reloads::Reloadable;
use crate::restored::{ADVICE, refuse_restored, was_restored};
use crate::{contract, descriptors, dialects, health, listener, repository, revocations, secrets};

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting is missing, wrong, or contradicts another.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What a setting leads to is wrong.
    #[error("{0}")]
    Setting(String),
    /// A file or folder.
    #[error("{}", .0.display())]
    File(PathBuf, #[source] std::io::Error),
    /// The database lacks what the record knows, as these sentences say.
    #[error("the database was restored from a backup ({0}): {ADVICE}")]
    Restored(String),
    /// Another server process has this SQLite database open.
    #[error("{} is in use by another server", .0.display())]
    InUse(PathBuf),
    /// The database's URL.
    #[error("the setting database cannot be used")]
    DatabaseUrl(#[from] DatabaseUrlError),
    /// The database.
    #[error("the database cannot be used")]
    Store(#[from] StoreError),
    /// The catalogue.
    #[error("{}", .0.display())]
    Catalogue(PathBuf, #[source] CatalogueFileError),
    /// The dated limits.
    #[error("{}", .0.display())]
    Rules(PathBuf, #[source] ValidityRulesError),
    /// The resolvers.
    #[error("dns.resolvers cannot be used")]
    Resolver(#[from] ResolverError),
    /// The mail relay's settings.
    #[error("the smtp settings cannot be used")]
    Mailer(#[from] MailerError),
    /// The built-in outside world.
    #[error("the built-in outside world cannot start")]
    Ote(#[from] OteError),
    /// The CA, or the first rows.
    #[error("the first steps failed")]
    App(#[from] AppError),
    /// The master key.
    #[error("the master key cannot be used")]
    MasterKey(#[from] MasterKeyError),
    /// The listener's address.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] std::io::Error),
}

/// A server that runs.
pub struct Server {
    /// The settings it was started with.
    pub(crate) config: Config,
    pub(crate) trusted_proxies: Arc<Reloadable>,
    pub(crate) operators: Arc<Reloadable>,
    /// The use cases.
    pub app: App,
    /// Where it listens.
    pub address: SocketAddr,
    /// In OTE mode, the account to begin with.
    pub account: Option<OteAccount>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    worker: JoinHandle<()>,
    counting: (watch::Sender<bool>, JoinHandle<()>),
    world: Option<OutsideWorld>,
    lock: Option<File>,
}

/// Opens the database a configuration names, makes it where there is none, and brings it up to date.
pub async fn open_store(config: &Config) -> Result<Store, StartError> {
    make_folder(&config.data)?;
    let store = Store::open(&database_url(config)?, &StoreSettings::default()).await?;
    store.migrate().await?;
    Ok(store)
}

/// The same, waiting for a database that is away for as long as the settings say.
async fn open_patiently(config: &Config) -> Result<Store, StartError> {
    const LONGEST_PAUSE: Duration = Duration::from_secs(2);
    let deadline = Instant::now() + Duration::from_secs(config.database_wait_seconds);
    let mut pause = Duration::from_millis(100);
    let mut is_said = false;
    loop {
        match open_store(config).await {
            Err(StartError::Store(StoreError::Unavailable(error)))
                if Instant::now() + pause < deadline =>
            {
                if !is_said {
                    let seconds = config.database_wait_seconds;
                    tracing::warn!(
                        error = &*error,
                        seconds,
                        "the database is away; waiting for it"
                    );
                    is_said = true;
                }
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            opened => return opened,
        }
    }
}

/// Opens the operator's chores on the database a configuration names. They go by the database's own clock,
/// which OTE mode may have moved. A database that is missing or not up to date is refused: a mistyped place
/// must not become a second installation, nor a chore an upgrade.
pub async fn operations(config: &Config) -> Result<Operations, StartError> {
    let operations = operations_after_restore(config).await?;
    match standing(operations.store(), &config.record_folder()).await? {
        RecordStanding::Behind { signs, .. } => return Err(was_restored(&signs)),
        // Numbers that a chore hands out are on record like those of the server.
        RecordStanding::Whole(_) => {
            let records = config.record_folder();
            keep_record(operations.store(), &records, operations.now()).await?;
        }
        RecordStanding::New | RecordStanding::Unrecorded { .. } => {}
    }
    Ok(operations)
}

/// The same for a change of the master key, which may have to come before what is known of a restored database is put
/// back.
pub async fn operations_to_rotate(config: &Config) -> Result<Operations, StartError> {
    match operations(config).await {
        Err(StartError::Restored(_)) => operations_after_restore(config).await,
        opened => opened,
    }
}

/// The same on a database that was restored from a backup.
pub async fn operations_after_restore(config: &Config) -> Result<Operations, StartError> {
    if let Some(file) = config.sqlite_file().filter(|file| !file.exists()) {
        return Err(StartError::Setting(format!(
            "there is no database {}: chancery migrate makes it, and so does the first start of the server",
            file.display()
        )));
    }
    let store = Store::open(&database_url(config)?, &StoreSettings::default()).await?;
    if store.pending_migrations().await? > 0 {
        let text = "the database is not up to date: chancery migrate brings it there";
        return Err(StartError::Setting(text.to_owned()));
    }
    let clock = Clock::restore(&store).await?;
    let policy = VettingPolicy {
        rules: validity_rules(config)?,
        dual_control: dual_control(config),
    };
    Ok(Operations::new(store, clock).under(policy))
}

/// Seals everything in the database anew under the master key in a file. The configuration has the key of before,
/// until this has ended.
///
/// No server may be at work on the database. On SQLite that is made sure of; on PostgreSQL one that is at work all
/// the same can seal nothing any more.
pub async fn rotate_master_key(
    config: &Config,
    new: &Path,
    operations: &Operations,
) -> Result<Rotated, StartError> {
    let lock = lock_file(config)?;
    let (old, new) = (
        secrets::any_master_key(config)?,
        secrets::master_key_of(new)?,
    );
    let rotated = operations.rotate_master_key(&old, &new).await?;
    drop(lock);
    Ok(rotated)
}

/// Checks a configuration as a start would, short of opening the database or a socket.
pub fn check(config: &Config) -> Result<(), StartError> {
    config.check()?;
    database_url(config)?;
    catalogue(config)?;
    validity_rules(config)?;
    if config.master_key.is_some() || config.master_key_file.is_some() {
        secrets::master_key(config)?;
    }
    if !config.is_ote() {
        outside(config)?;
    }
    Ok(())
}

fn database_url(config: &Config) -> Result<DatabaseUrl, StartError> {
    Ok(DatabaseUrl::parse(&config.database_url())?)
}

impl Server {
    /// Starts everything; answers once requests are served.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        config.check()?;
        descriptors::raise_limit(&config);
        // Meanwhile: the first contact need not wait for it.
        tokio::task::spawn_blocking(chancery_domain::telephones::load);
        make_folder(&config.data)?;
        let lock = lock_file(&config)?;
        let store = open_patiently(&config).await?;
        let clock = Clock::restore(&store).await?;
        let operations = Operations::new(store.clone(), clock.clone());
        refuse_other_mode(config.mode, &operations).await?;
        let records = config.record_folder();
        refuse_restored(&records, &store).await?;
        let now = clock.now();
        keep_record(&store, &records, now).await?;
        store.record_blocked_keys().await?;
        if store.engine() == Engine::Sqlite {
            // Nobody else works on this database, so who held a lease is gone.
            store.release_all_leases(now).await?;
        }
        let listener =
            listen(config.listen).map_err(|error| StartError::Listen(config.listen, error))?;
        let address = listener
            .local_addr()
            .map_err(|e| StartError::Listen(config.listen, e))?;
        let asked = config.clone();
        let config = Config {
            listen: address,
            ..config
        };
        let world = match config.is_ote() {
            true => Some(OutsideWorld::start(&config).await?),
            false => None,
        };
        let account = match config.is_ote() {
            true => Some(OteAccount::find_or_make(&config.data, &operations).await?),
            false => None,
        };
        let app = App::new(parts(&config, store.clone(), clock, world.as_ref()).await?);
        // Where the CA was made just now.
        keep_record(&store, &records, now).await?;
        app.start_periodic_jobs().await?;
        app.restore_call_counts().await?;

        let (stop, stopped) = watch::channel(false);
        let worker = tokio::spawn({
            let (app, stopped) = (app.clone(), stopped.clone());
            let drain = Duration::from_secs(config.limits.drain_seconds);
            async move { app.run_worker(stopped, drain).await }
        });
        let (stop_counting, counted) = watch::channel(false);
        let counting = tokio::spawn({
            let app = app.clone();
            async move {
                let trail = app.keep_access_trail(counted.clone());
                tokio::join!(app.keep_settling_calls(counted), trail);
            }
        });
        let operators = Arc::new(Reloadable::new(config.health_operators()?));
        let trusted_proxies = Arc::new(Reloadable::new(config.trusted_proxies()?));
        let router = router(&config, &app, world.as_ref(), Arc::clone(&operators));
        let serving = tokio::spawn(listener::serve(
            listener,
            router,
            Arc::clone(&trusted_proxies),
            config.limits.clone(),
            stopped,
        ));
        Ok(Self {
            config: asked,
            trusted_proxies,
            operators,
            app,
            address,
            account,
            stop,
            serving,
            worker,
            counting: (stop_counting, counting),
            world,
            lock,
        })
    }

    /// Where the built-in outside world listens: DNS, web, mail. OTE mode only.
    pub fn world_addresses(&self) -> Option<[SocketAddr; 3]> {
        let world = self.world.as_ref()?;
        Some([
            world.dns.local_addr(),
            world.web.local_addr(),
            world.mail.local_addr(),
        ])
    }

    /// Stops: no new requests, those under way finish, then the jobs, then the database.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        if let Err(error) = self.serving.await {
            tracing::error!(%error, "the listener stopped badly");
        }
        if let Err(error) = self.worker.await {
            tracing::error!(%error, "the worker stopped badly");
        }
        // The last requests are counted by now.
        let (stop, counting) = self.counting;
        let _ = stop.send(true);
        if let Err(error) = counting.await {
            tracing::error!(%error, "the count of calls stopped badly");
        }
        if let Some(world) = self.world {
            world.stop().await;
        }
        self.app.close().await;
        // Closing the file would not do where a child process that is just being started has inherited it.
        if let Some(Err(error)) = self.lock.map(|lock| lock.unlock()) {
            tracing::warn!(%error, "the lock on the database was not given back");
        }
    }
}

/// Listens for connections, with room for as many that nobody has accepted yet as the system allows (Linux:
/// `net.core.somaxconn`), to which it cuts what is asked for.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    const AS_MANY_AS_ALLOWED: u32 = i32::MAX.unsigned_abs();
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restart need not wait for connections of the server before it.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(AS_MANY_AS_ALLOWED)
}

async fn parts(
    config: &Config,
    store: Store,
    clock: Clock,
    world: Option<&OutsideWorld>,
) -> Result<Parts, StartError> {
    let master_key = secrets::master_key(config)?;
    check_master_key(&store, &master_key).await?;
    let (dcv, mailer) = match world {
        Some(world) => inside(config, world)?,
        None => outside(config)?,
    };
    let [organization, country, common_name] = config.ca_names();
    let authority = AuthoritySettings {
        ca: CaSettings {
            key_algorithm: config.key_algorithm()?,
            common_name: common_name.to_owned(),
            ..CaSettings::new(organization, &country.to_ascii_uppercase())
        },
        public_url: config.pki_url(),
    };
    let authorities = Authorities::open(&store, authority, &master_key, clock.now()).await?;
    Ok(Parts {
        authorities,
        token_key: open_token_key(&store, &master_key, clock.now()).await?,
        store,
        dcv,
        mailer,
        clock,
        catalogue: catalogue(config)?,
        rules: validity_rules(config)?,
        master_key,
        settings: Settings {
            public_url: config.public_url(),
            validation_time: days(config.validation.days),
            challenge_domain: config.challenge_domain(),
            supersede_delay: SignedDuration::from_hours(config.orders.supersede_hours.into()),
            generate_keys: config.generate_keys.unwrap_or(config.is_ote()),
            world: match config.is_ote() {
                true => World::Tests,
                false => World::Public,
            },
            worker_slots: config.limits.jobs,
            look_slots: config.limits.looks,
            call_limits: config.call_limits(),
            dual_control: dual_control(config),
            retention: retention(config),
            approve_cases_after: approve_cases_after(config),
        },
    })
}

/// The ways to the real outside world.
fn outside(config: &Config) -> Result<(Dcv, Mailer), StartError> {
    let resolver = Resolver::new(&ResolverSettings {
        servers: config.resolvers()?,
        timeout: Duration::from_secs(config.dns.timeout_seconds),
        attempts: config.dns.attempts,
        recursive: true,
    })?;
    let policy = ProbePolicy {
        denied: config.denied_networks()?,
        ..ProbePolicy::strict()
    };
    let probe = HttpProbe::new(resolver.clone(), policy);
    let smtp = &config.smtp;
    let credentials = smtp.username.clone().zip(smtp.password.clone());
    let mailer = Mailer::new(&SmtpSettings {
        host: smtp.host.clone().unwrap_or_default(),
        port: smtp.port,
        tls: match smtp.tls {
            TlsMode::None => SmtpTls::None,
            TlsMode::Starttls => SmtpTls::StartTls,
            TlsMode::Implicit => SmtpTls::Implicit,
        },
        credentials: credentials.map(|(username, password)| SmtpCredentials {
            username,
            password: password.0,
        }),
        from: smtp.from.clone().unwrap_or_default(),
        timeout: Duration::from_secs(30),
    })?;
    Ok((Dcv::new(resolver, probe), mailer))
}

/// The ways to the built-in outside world: the same code, other addresses.
fn inside(config: &Config, world: &OutsideWorld) -> Result<(Dcv, Mailer), StartError> {
    let resolver = Resolver::new(&ResolverSettings {
        servers: vec![world.dns.local_addr()],
        timeout: Duration::from_secs(config.dns.timeout_seconds),
        attempts: 1,
        recursive: false,
    })?;
    let web = world.web.local_addr().port();
    let probe = HttpProbe::new(resolver.clone(), ProbePolicy::loopback(web, web));
    let mail = world.mail.local_addr();
    let mailer = Mailer::new(&SmtpSettings {
        host: mail.ip().to_string(),
        port: mail.port(),
        tls: SmtpTls::None,
        credentials: None,
        from: config
            .smtp
            .from
            .clone()
            .unwrap_or("Chancery <chancery@platform.test>".to_owned()),
        timeout: Duration::from_secs(10),
    })?;
    Ok((Dcv::new(resolver, probe), mailer))
}

/// The catalogue a configuration names, or the built-in one.
pub fn catalogue(config: &Config) -> Result<Catalogue, StartError> {
    let Some(file) = &config.catalogue else {
        return Ok(built_in_catalogue());
    };
    let text = fs::read_to_string(file).map_err(|e| StartError::File(file.clone(), e))?;
    parse_catalogue(&text).map_err(|error| StartError::Catalogue(file.clone(), error))
}

fn dual_control(config: &Config) -> DualControl {
    match config.vetting.two_operators {
        TwoOperators::Ev => DualControl::Ev,
        TwoOperators::Always => DualControl::Always,
    }
}

fn retention(config: &Config) -> Retention {
    let kept = &config.retention;
    Retention {
        failed_looks: days(kept.failed_looks_days),
        records: days(kept.records_days),
        sign_ins: days(kept.sign_ins_days),
    }
}

fn approve_cases_after(config: &Config) -> Option<SignedDuration> {
    let is_automatic = config.is_ote() && config.ote.vetting == OteVetting::Automatic;
    is_automatic.then(|| SignedDuration::from_secs(config.ote.vetting_seconds.into()))
}

fn validity_rules(config: &Config) -> Result<ValidityRules, StartError> {
    let Some(file) = &config.validation.rules else {
        return Ok(ValidityRules::default());
    };
    let text = fs::read_to_string(file).map_err(|e| StartError::File(file.clone(), e))?;
    ValidityRules::parse(&text).map_err(|error| StartError::Rules(file.clone(), error))
}

fn router(
    config: &Config,
    app: &App,
    world: Option<&OutsideWorld>,
    operators: Arc<Reloadable>,
) -> Router {
    let front = chancery_console::Front {
        is_test_environment: config.is_ote(),
    };
    let mut router = Router::new()
        .merge(health::router(app.clone(), operators))
        .merge(chancery_console::front(app.clone(), front))
        .merge(repository::router(app.clone()))
        .merge(revocations::router(
            app.clone(),
            Duration::from_secs(config.limits.request_seconds),
            &config.public_url(),
        ))
        .merge(contract::router())
        .merge(chancery_console::router(app.clone()));
    if let Some(world) = world {
        router = router.merge(world.control(config, app.clone()));
    }
    router.fallback_service(dialects::router(config, app))
}

fn make_folder(folder: &Path) -> Result<(), StartError> {
    let failed = |error| StartError::File(folder.to_owned(), error);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(failed)
}

/// Makes sure that one server at a time works on an SQLite file, for as long as the answer lives.
pub fn lock_file(config: &Config) -> Result<Option<File>, StartError> {
    let Some(database) = config.sqlite_file() else {
        return Ok(None);
    };
    let file = PathBuf::from(format!("{}.lock", database.display()));
    let failed = |error| StartError::File(file.clone(), error);
    let lock = File::options()
        .create(true)
        .append(true)
        .open(&file)
        .map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(fs::TryLockError::WouldBlock) => Err(StartError::InUse(file)),
        Err(fs::TryLockError::Error(error)) => Err(StartError::File(file, error)),
    }
}

#[cfg(test)]
mod tests {
    use chancery_app::HealthState;

    use super::*;
    use crate::config::{Mode, OteConfig};

    #[tokio::test]
    async fn operators_see_all_else_while_no_worker_lives() {
        let folder = tempfile::tempdir().unwrap();
        let any_port = "127.0.0.1:0".parse().unwrap();
        let config = Config {
            mode: Mode::Ote,
            data: folder.path().to_owned(),
            listen: any_port,
            ote: OteConfig {
                dns_listen: any_port,
                web_listen: any_port,
                smtp_listen: any_port,
                ..OteConfig::default()
            },
            ..Config::default()
        };
        let store = open_store(&config).await.unwrap();
        let clock = Clock::restore(&store).await.unwrap();
        let world = OutsideWorld::start(&config).await.unwrap();
        let parts = parts(&config, store, clock, Some(&world)).await.unwrap();
        let checks = App::new(parts).health().await;
        let told = |check: &chancery_app::HealthCheck| (check.name, check.state);
        let good = ["jobs", "revocation lists", "signing", "mail", "resolvers"];
        let mut expected = vec![
            ("database", HealthState::Good),
            ("worker", HealthState::Failing),
        ];
        expected.extend(good.map(|name| (name, HealthState::Good)));
        assert_eq!(checks.iter().map(told).collect::<Vec<_>>(), expected);
    }
}
