//! OTE mode: the built-in outside world, and what its control surface asks of the platform.

use std::sync::Arc;

use axum::Router;
use chancery_app::App;
use chancery_domain::Timestamp;
use chancery_ote::control::{self, Platform, SetClock};
use chancery_ote::{Access, Listening, OteWorld, dns_server, mail_server, web_server};

use crate::config::Config;
use crate::wiring::StartError;

/// The built-in outside world, running.
pub(crate) struct OutsideWorld {
    world: OteWorld,
    pub(crate) dns: Listening,
    pub(crate) web: Listening,
    pub(crate) mail: Listening,
}

impl OutsideWorld {
    /// Opens what was kept in the data folder and starts the three servers.
    pub(crate) async fn start(config: &Config) -> Result<Self, StartError> {
        let world = OteWorld::open(&config.data.join("ote"))?;
        let settings = &config.ote;
        Ok(Self {
            dns: dns_server::start(settings.dns_listen, Arc::clone(&world.zones)).await?,
            web: web_server::start(settings.web_listen, Arc::clone(&world.web)).await?,
            mail: mail_server::start(settings.smtp_listen, Arc::clone(&world.mailbox)).await?,
            world,
        })
    }

    /// The control surface, over the platform it belongs to.
    pub(crate) fn control(&self, config: &Config, app: App) -> Router {
        let access = if config.ote.allow_remote {
            Access::Anyone
        } else {
            Access::LoopbackOnly
        };
        control::router(self.world.clone(), Arc::new(ThisPlatform(app)), access)
    }

    /// Stops the three servers.
    pub(crate) async fn stop(self) {
        self.dns.stop().await;
        self.web.stop().await;
        self.mail.stop().await;
    }
}

struct ThisPlatform(App);

impl Platform for ThisPlatform {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    async fn set_clock(&self, to: SetClock) -> Result<Timestamp, String> {
        let moved = match to {
            SetClock::Advance(by) => self.0.advance_clock(by).await,
            SetClock::To(to) => self.0.set_clock(to).await,
        };
        moved.map_err(|error| error.to_string())
    }

    async fn run_jobs(&self) -> Result<u64, String> {
        self.0
            .run_due_jobs()
            .await
            .map_err(|error| error.to_string())
    }
}
