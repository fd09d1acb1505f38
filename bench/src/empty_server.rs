//! A server that does nothing, on the listener and with the logging of the real one: what is left of the real
//! one's rate is what its work costs.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use axum::routing::get;
use chancery_server::config::LimitsConfig;
use chancery_server::listener;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

/// Prints the address and serves until killed.
pub(crate) fn serve() -> Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("warn"))
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("{}", socket.local_addr()?);
        let router = Router::new().route("/", get(|| async {}));
        let (_stop, stopped) = watch::channel(false);
        let (limits, trusted) = (LimitsConfig::default(), Arc::default());
        listener::serve(socket, router, trusted, limits, stopped).await;
        Ok(())
    })
}
