//! The shipped server, started for one test.

use std::net::{Ipv4Addr, SocketAddr};

use chancery_app::{App, Clock, Operations};
use chancery_domain::access::Access;
use chancery_domain::money::{Currency, Money};
use chancery_domain::reseller_settings::ResellerChanges;
use chancery_domain::resellers::{CredentialKind, Reseller, ResellerId};
use chancery_domain::{SignedDuration, Timestamp};
use chancery_server::config::{Config, Mode, OteConfig};
use chancery_server::{OteAccount, Server, open_store};
use chancery_store::{Change, Engine};
use tempfile::TempDir;

use crate::databases::Database;
use crate::http::Http;
use crate::logicboxes::LogicBoxes;
use crate::logs::Logs;
use crate::panels::Panel;
use crate::worlds::World;

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A server in OTE mode with its data in a folder of its own.
pub struct TestServer {
    /// The settings it runs with.
    pub config: Config,
    /// The errors it has logged.
    pub logs: Logs,
    /// Where it keeps its rows.
    pub database: Database,
    server: Option<Server>,
    address: SocketAddr,
    folder: TempDir,
    engine: Engine,
}

impl TestServer {
    /// Starts one on an empty database.
    pub async fn start(engine: Engine, logs: Logs) -> Self {
        Self::start_with(engine, logs, |_| {}).await
    }

    /// The same, with settings changed.
    pub async fn start_with(engine: Engine, logs: Logs, change: impl FnOnce(&mut Config)) -> Self {
        let (database, folder, mut config) = prepared(engine).await;
        change(&mut config);
        Self::of(engine, logs, database, folder, config).await
    }

    async fn of(
        engine: Engine,
        logs: Logs,
        database: Database,
        folder: TempDir,
        config: Config,
    ) -> Self {
        let server = started(&config).await;
        let address = server.address;
        Self {
            config,
            logs,
            database,
            server: Some(server),
            address,
            folder,
            engine,
        }
    }

    /// Starts one whose clock begins at this moment, be it past or to come.
    pub async fn start_at(engine: Engine, logs: Logs, begin: Timestamp) -> Self {
        let (database, folder, config) = prepared(engine).await;
        let offset = begin.duration_since(Clock::default().now());
        set_clock(&config, offset).await;
        let server = Self::of(engine, logs, database, folder, config).await;
        let late = server.app().now().duration_since(begin).as_secs();
        assert!((0..3_600).contains(&late), "{late} s after {begin}");
        server
    }

    /// Stops the server and starts it again on the same data and address, with settings changed.
    pub async fn restart_with(&mut self, change: impl FnOnce(&mut Config)) {
        self.stop().await;
        self.config.listen = self.address;
        change(&mut self.config);
        let server = started(&self.config).await;
        self.address = server.address;
        self.server = Some(server);
    }

    /// Stops the server and starts it again with a clock that is so far ahead of that of this machine.
    pub async fn restart_with_clock(&mut self, ahead: SignedDuration) {
        self.stop().await;
        set_clock(&self.config, ahead).await;
        self.restart().await;
    }

    /// Starts the server again with products whose orders can be renewed as soon as they have a certificate.
    pub async fn renew_at_once(&mut self) {
        const BUILT_IN: &str = include_str!("../../app/src/catalogue.toml");
        let catalogue = self.folder.path().join("renewed-at-once.toml");
        let sold = BUILT_IN.replace("\nvalidation =", "\nrenewal-days = 366\nvalidation =");
        std::fs::write(&catalogue, sold).unwrap();
        self.restart_with(|config| config.catalogue = Some(catalogue))
            .await;
    }

    /// Stops the server and starts it again.
    pub async fn restart(&mut self) {
        self.restart_with(|_| {}).await;
    }

    /// Stops the server; its data stay.
    pub async fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop().await;
        }
    }

    /// The engine it keeps its rows in.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Runs a statement on its database, to make rows as a release before this one left them.
    pub async fn execute(&self, sql: &'static str) {
        let store = open_store(&self.config).await.unwrap();
        let mut change = Change::new();
        change.execute(sql, Vec::new());
        store.commit(change).await.unwrap();
        store.close().await;
    }

    /// The use cases, for what no dialect shows.
    pub fn app(&self) -> &App {
        &self.running().app
    }

    /// The operator's chores.
    pub fn operations(&self) -> Operations {
        let app = self.app();
        app.operations()
    }

    /// A client without a token.
    pub fn http(&self) -> Http {
        Http::new(self.address)
    }

    /// The outside world and the clock.
    pub fn world(&self) -> World {
        World::new(self.http())
    }

    /// Where the built-in outside world listens: DNS, web, mail.
    pub fn world_addresses(&self) -> [SocketAddr; 3] {
        self.running()
            .world_addresses()
            .expect("the server is in OTE mode")
    }

    /// A folder that goes with the test.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The panel of the reseller that OTE mode begins with, signed in.
    pub async fn panel(&self) -> Panel {
        let account = self.running().account.as_ref();
        let OteAccount { webnic, .. } = account.expect("the server is in OTE mode");
        Panel::sign_in(self.http(), &webnic.username, &webnic.password).await
    }

    /// A further panel of the reseller that OTE mode begins with, limited in what it may do, signed in.
    pub async fn panel_with(&self, access: Access) -> Panel {
        let operations = self.operations();
        let reseller = operations.resellers().await.unwrap()[0].id;
        let made = operations
            .add_credential(reseller, CredentialKind::Webnic, access)
            .await
            .unwrap();
        Panel::sign_in(self.http(), &made.username, &made.password).await
    }

    /// The panel of a new reseller with this much US dollars, signed in.
    pub async fn another_panel(&self, balance: &str) -> Panel {
        let operations = self.operations();
        let currency = Currency::parse("USD").unwrap();
        let reseller = operations
            .add_reseller("another reseller", currency)
            .await
            .unwrap();
        let amount = Money::parse(balance, currency).unwrap();
        if amount.minor > 0 {
            operations.credit(reseller.id, amount, None).await.unwrap();
        }
        let made = operations
            .add_credential(reseller.id, CredentialKind::Webnic, Access::default())
            .await
            .unwrap();
        Panel::sign_in(self.http(), &made.username, &made.password).await
    }

    /// The reseller that OTE mode begins with.
    pub async fn reseller(&self) -> Reseller {
        self.operations().resellers().await.unwrap().remove(0)
    }

    /// Changes settings of the reseller that OTE mode begins with.
    pub async fn set_reseller(&self, changes: ResellerChanges) -> Reseller {
        let id = self.reseller().await.id;
        self.operations().set_reseller(id, &changes).await.unwrap()
    }

    /// A LogicBoxes client of the reseller that OTE mode begins with.
    pub async fn logicboxes(&self) -> LogicBoxes {
        let account = self.running().account.as_ref();
        let OteAccount { logicboxes, .. } = account.expect("the server is in OTE mode");
        LogicBoxes::new(self.http(), &logicboxes.username, &logicboxes.password)
    }

    /// The same, limited in what it may do.
    pub async fn logicboxes_with(&self, access: Access) -> LogicBoxes {
        let reseller = self.operations().resellers().await.unwrap()[0].id;
        self.logicboxes_of(reseller, access).await
    }

    /// A LogicBoxes client of a new reseller.
    pub async fn another_logicboxes(&self) -> LogicBoxes {
        let currency = Currency::parse("USD").unwrap();
        let operations = self.operations();
        let reseller = operations.add_reseller("another reseller", currency).await;
        self.logicboxes_of(reseller.unwrap().id, Access::default())
            .await
    }

    /// A LogicBoxes client of a reseller.
    pub async fn logicboxes_of(&self, reseller: ResellerId, access: Access) -> LogicBoxes {
        let kind = CredentialKind::LogicBoxes;
        let operations = self.operations();
        let made = operations.add_credential(reseller, kind, access).await;
        let made = made.unwrap();
        LogicBoxes::new(self.http(), &made.username, &made.password)
    }

    /// Stops the server and fails the test for what it left behind.
    pub async fn finish(mut self) {
        let faults = self.faults().await;
        self.stop().await;
        let errors = self.logs.take_errors();
        self.database.remove().await;
        assert!(faults.is_empty(), "{faults:#?}");
        assert!(errors.is_empty(), "logged: {errors:#?}");
    }

    /// What must not be: money that does not add up, jobs that gave up.
    pub async fn faults(&self) -> Vec<String> {
        let Some(server) = &self.server else {
            return Vec::new();
        };
        let mut faults = self.operations().audit().await.unwrap();
        match server.app.operations().parked_jobs().await.unwrap().len() {
            0 => {}
            parked => faults.push(format!("{parked} jobs gave up")),
        }
        faults
    }

    fn running(&self) -> &Server {
        self.server.as_ref().expect("the server is stopped")
    }
}

/// An empty database, a folder, and the settings to run a server on them.
async fn prepared(engine: Engine) -> (Database, TempDir, Config) {
    let database = Database::create(engine).await;
    let folder = TempDir::new().unwrap();
    let mut config = Config {
        mode: Mode::Ote,
        data: folder.path().join("data"),
        listen: ANY_PORT,
        database: database.url.clone(),
        ote: OteConfig {
            dns_listen: ANY_PORT,
            web_listen: ANY_PORT,
            smtp_listen: ANY_PORT,
            ..OteConfig::default()
        },
        ..Config::default()
    };
    // The world is on this machine: who is silent for a second is silent.
    config.dns.timeout_seconds = 1;
    (database, folder, config)
}

/// Has the next start go by a clock that is so far ahead of that of this machine.
async fn set_clock(config: &Config, ahead: SignedDuration) {
    let store = open_store(config).await.unwrap();
    let mut change = Change::new();
    change.set_meta("clock_offset_micros", &ahead.as_micros().to_string());
    store.commit(change).await.unwrap();
    store.close().await;
}

async fn started(config: &Config) -> Server {
    match Server::start(config.clone()).await {
        Ok(server) => server,
        Err(error) => panic!("the server did not start: {error}: {error:?}"),
    }
}
