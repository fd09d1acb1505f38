//! `chancery serve` and `chancery migrate`.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use chancery_server::config::{Config, LogFormat};
use chancery_server::{Server, open_store};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::first_steps;

/// Runs the server until SIGTERM or SIGINT, then drains it.
pub(crate) async fn serve(config: Config) -> Result<()> {
    start_log(&config)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = Server::start(config.clone()).await?;
    first_steps::print(&config, &server)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping");
    server.stop().await;
    Ok(())
}

/// Brings the database up to this release.
pub(crate) async fn migrate(config: &Config) -> Result<()> {
    open_store(config).await?.close().await;
    println!("the database is up to date");
    Ok(())
}

fn start_log(config: &Config) -> Result<()> {
    let filter = EnvFilter::try_new(&config.log).context("log: not a filter")?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    Ok(())
}
