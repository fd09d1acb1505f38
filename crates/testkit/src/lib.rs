//! What tests of the whole are written with: the shipped server in OTE mode, its outside world, and the
//! clients that talk to it.
//!
//! [`TestServer`] is the real thing: the same wiring, listener and worker, on ports the system picks, with
//! the data in a folder that goes with the test. Tests reach it over HTTP only, as a reseller's panel does;
//! they move its clock and its world over the control surface of OTE mode. Nothing sleeps: time is advanced
//! and due jobs are run. A test fails if it leaves money that does not add up, a job that gave up, or an
//! error in the log, or gets an answer that is not as the OpenAPI document says.
//!
//! What is missing on the machine (PostgreSQL, OpenSSL, pkilint, schemathesis) fails a test with a sentence; nothing is
//! skipped.

#![expect(clippy::unwrap_used, reason = "in tests a panic is the report")]

mod certificates;
mod contract;
mod databases;
mod http;
mod logicboxes;
mod logs;
mod orders;
mod panels;
mod servers;
mod signals;
mod tools;
mod wire;
mod worlds;

pub use certificates::{Downloaded, pem_blocks};
pub use chancery_store::Engine;
pub use databases::Database;
pub use http::{Http, Refusal, Reply};
pub use logicboxes::{LogicBoxes, encoded, itself, with};
pub use logs::{Logs, run, run_within};
pub use orders::{Key, csr, csr_der, csr_with_key, order_for};
pub use panels::{Panel, PlacedOrder, cents};
pub use servers::TestServer;
pub use signals::{Signal, limit_files, send_signal, within_file_limits};
pub use tools::{
    keytool, openssl, pkilint, python, python_with_packages, repository_root, schemathesis,
};
pub use wire::Wire;
pub use worlds::World;

/// Declares each test of the list twice, `sqlite::name` and `postgres::name`: `async fn name(&mut TestServer)`.
#[macro_export]
macro_rules! on_both_engines {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $name() {
                $crate::run_server($crate::Engine::Sqlite, super::$name);
            })*
        }
        mod postgres {
            $(#[test]
            fn $name() {
                $crate::run_server($crate::Engine::Postgres, super::$name);
            })*
        }
    };
}

/// Runs a test with a server of its own, then checks what it left behind.
pub fn run_server(engine: Engine, test: impl AsyncFnOnce(&mut TestServer)) {
    run(async |logs| {
        let mut server = TestServer::start(engine, logs).await;
        test(&mut server).await;
        server.finish().await;
    });
}
