//! `chancery serve` and `chancery migrate`.

use anyhow::Result;
use chancery_server::config::Config;
use chancery_server::{Server, open_store};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::arguments::ServeFlags;
use crate::first_steps;
use crate::log::{self, Log};

/// Runs the server until SIGTERM or SIGINT, then drains it. SIGHUP has it read its settings again.
pub(crate) async fn serve(flags: &ServeFlags) -> Result<()> {
    let config = flags.config()?;
    let log = Log::start(&config)?;
    // Before anything takes time: a signal without a handler ends the process on the spot.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let server = tokio::select! {
        started = Server::start(config.clone()) => started?,
        () = told_to_stop(&mut terminate, &mut interrupt) => {
            tracing::info!("stopped before it had started");
            return Ok(());
        }
    };
    first_steps::print(&config, &server)?;
    loop {
        tokio::select! {
            () = told_to_stop(&mut terminate, &mut interrupt) => break,
            Some(()) = hangup.recv() => reload(flags, &server, &log),
            () = log.tell_repeats() => {}
        }
    }
    tracing::info!("stopping");
    server.stop().await;
    Ok(())
}

async fn told_to_stop(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Reads the settings again. What cannot be used changes nothing.
fn reload(flags: &ServeFlags, server: &Server, log: &Log) {
    let reloaded = flags
        .config()
        .map_err(anyhow::Error::from)
        .and_then(|config| {
            // Before anything is changed.
            log::check(&config.log)?;
            let kept = server.reload(&config)?;
            log.change(&config.log)?;
            Ok(kept)
        });
    match reloaded {
        Ok(kept) if kept.is_empty() => tracing::warn!("the settings were read again"),
        Ok(kept) => tracing::warn!(
            restart_for = kept.join(", "),
            "the settings were read again; some count from the next start"
        ),
        Err(error) => tracing::error!(
            error = format!("{error:#}"),
            "the settings cannot be used, those of before still count"
        ),
    }
}

/// Brings the database up to this release.
pub(crate) async fn migrate(config: &Config) -> Result<()> {
    open_store(config).await?.close().await;
    println!("the database is up to date");
    Ok(())
}
