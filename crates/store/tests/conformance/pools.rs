//! A pool in front of PostgreSQL, the real one: refused where it hands out connections by the transaction.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Stdio};

use chancery_store::{DatabaseUrl, Store, StoreError};
use tempfile::TempDir;

use crate::bed::{Bed, settings};

/// A running pgbouncer; ends when dropped.
struct Pool {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Drop for Pool {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Pool {
    fn start(server: &str, mode: &str, more: &str) -> Self {
        let (host, database_port) = server.split_once(':').unwrap();
        // Free now; whoever takes it meanwhile fails the test.
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let folder = tempfile::tempdir().unwrap();
        let settings = format!(
            "[databases]\n* = host={host} port={database_port} user=chancery\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
             listen_port = {port}\nunix_socket_dir =\nauth_type = any\npool_mode = {mode}\n{more}\n"
        );
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).unwrap();
        let readable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(folder.path(), readable).unwrap();
        let mut command = Command::new(program());
        // It refuses to run as root, and changes to another user where it is told to.
        if is_root() {
            command.args(["-u", "postgres"]);
        }
        let child = command
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child =
            child.expect("pgbouncer is not installed (on Debian: apt-get install pgbouncer)");
        Self {
            child,
            port,
            _folder: folder,
        }
    }

    /// Opens a store through it, once it listens.
    async fn open(&mut self, database: &str) -> Result<Store, StoreError> {
        while tokio::net::TcpStream::connect(("127.0.0.1", self.port))
            .await
            .is_err()
        {
            let ended = self.child.try_wait().unwrap();
            assert_eq!(ended, None, "pgbouncer did not start");
            tokio::task::yield_now().await;
        }
        let url = format!("postgres://chancery@127.0.0.1:{}/{database}", self.port);
        Store::open(&DatabaseUrl::parse(&url).unwrap(), &settings()).await
    }
}

/// Debian has it where only root looks.
fn program() -> &'static str {
    const OF_DEBIAN: &str = "/usr/sbin/pgbouncer";
    match std::path::Path::new(OF_DEBIAN).exists() {
        true => OF_DEBIAN,
        false => "pgbouncer",
    }
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout == b"0\n"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_of_transactions_is_refused_in_words() {
    let bed = Bed::postgres().await;
    let (server, database) = bed.server();
    for (mode, more) in [
        ("transaction", ""),
        ("transaction", "server_round_robin = 1\nmin_pool_size = 4"),
        ("transaction", "default_pool_size = 1"),
        ("statement", ""),
    ] {
        let mut pool = Pool::start(&server, mode, more);
        match pool.open(&database).await {
            Err(error @ StoreError::Pooled) => {
                assert!(error.to_string().contains("pool_mode = session"), "{error}");
            }
            Err(error) => panic!("{mode} {more}: {error:?}"),
            Ok(_) => panic!("{mode} {more} was not seen"),
        }
    }
    bed.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_of_sessions_serves() {
    let bed = Bed::postgres().await;
    let (server, database) = bed.server();
    let mut pool = Pool::start(&server, "session", "");
    let store = pool.open(&database).await.unwrap();
    for _ in 0..3 {
        store.check_writable().await.unwrap();
    }
    store.close().await;
    drop(pool);
    bed.remove().await;
}
