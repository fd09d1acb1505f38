//! Where the database is.
//!
//! `sqlite://FILE` (relative, or absolute with a third slash) or a `postgres://` URL as libpq writes it,
//! with `sslmode` and `sslrootcert`. The password is never printed.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tokio_postgres::config::{Host, SslMode};

/// The address of a database, checked.
#[derive(Clone, Eq, PartialEq)]
pub struct DatabaseUrl(pub(crate) Address);

#[derive(Clone, Eq, PartialEq)]
pub(crate) enum Address {
    Sqlite(PathBuf),
    Postgres {
        config: Box<tokio_postgres::Config>,
        root_certificates: Option<PathBuf>,
    },
}

/// Why a text is not a database address. Holds nothing of the text, which may contain a password.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DatabaseUrlError {
    /// Neither `sqlite://` nor `postgres://`.
    #[error("a database URL starts with sqlite:// or postgres://")]
    Scheme,
    /// `sqlite://` without a file.
    #[error("sqlite:// needs the path of a file")]
    NoFile,
    /// What follows `postgres://` is not understood.
    #[error("not a valid postgres:// URL: {0}")]
    Postgres(String),
    /// No host in a `postgres://` URL.
    #[error("a postgres:// URL needs a host")]
    NoHost,
}

impl DatabaseUrl {
    /// Parses an address.
    pub fn parse(text: &str) -> Result<Self, DatabaseUrlError> {
        if let Some(file) = text.strip_prefix("sqlite://") {
            return Self::sqlite(file);
        }
        if !text.starts_with("postgres://") && !text.starts_with("postgresql://") {
            return Err(DatabaseUrlError::Scheme);
        }
        let (text, root_certificates) = take_parameter(text, "sslrootcert");
        let config = tokio_postgres::Config::from_str(&text)
            .map_err(|error| DatabaseUrlError::Postgres(error.to_string()))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(DatabaseUrlError::NoHost);
        }
        Ok(Self(Address::Postgres {
            config: Box::new(config),
            root_certificates: root_certificates.map(PathBuf::from),
        }))
    }

    /// Whether a password is part of it.
    pub fn has_password(&self) -> bool {
        match &self.0 {
            Address::Sqlite(_) => false,
            Address::Postgres { config, .. } => config.get_password().is_some(),
        }
    }

    /// Whether the server is on another machine and the address leaves open if what crosses the network is
    /// encrypted.
    pub fn leaves_encryption_open(&self) -> bool {
        self.is_elsewhere_by(SslMode::Prefer)
    }

    /// Whether the server is on another machine and what crosses the network is not encrypted.
    pub fn is_plaintext_to_another_host(&self) -> bool {
        self.is_elsewhere_by(SslMode::Disable)
    }

    fn is_elsewhere_by(&self, mode: SslMode) -> bool {
        let Address::Postgres { config, .. } = &self.0 else {
            return false;
        };
        let is_here = |host: &Host| match host {
            Host::Tcp(name) => {
                name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
            }
            #[cfg(unix)]
            Host::Unix(_) => true,
        };
        // An address, where there is one, is dialled in place of the name.
        let addresses = config.get_hostaddrs();
        let all_here = if addresses.is_empty() {
            config.get_hosts().iter().all(is_here)
        } else {
            addresses.iter().all(IpAddr::is_loopback)
        };
        config.get_ssl_mode() == mode && !all_here
    }

    /// The address of an SQLite file.
    pub fn sqlite(file: impl AsRef<Path>) -> Result<Self, DatabaseUrlError> {
        let file = file.as_ref();
        if file.file_name().is_none() {
            return Err(DatabaseUrlError::NoFile);
        }
        Ok(Self(Address::Sqlite(file.to_owned())))
    }
}

impl FromStr for DatabaseUrl {
    type Err = DatabaseUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Address::Sqlite(file) => write!(f, "sqlite://{}", file.display()),
            Address::Postgres { config, .. } => {
                f.write_str("postgres://")?;
                if let Some(user) = config.get_user() {
                    write!(f, "{user}@")?;
                }
                match config.get_hosts().first() {
                    Some(Host::Tcp(host)) => f.write_str(host)?,
                    #[cfg(unix)]
                    Some(Host::Unix(path)) => write!(f, "{}", path.display())?,
                    None => {}
                }
                if let Some(port) = config.get_ports().first() {
                    write!(f, ":{port}")?;
                }
                write!(f, "/{}", config.get_dbname().unwrap_or_default())?;
                match config.get_ssl_mode() {
                    SslMode::Require => f.write_str("?sslmode=require"),
                    _ => Ok(()),
                }
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

/// Cuts `name=value` out of the query of a URL: a parameter of ours that the driver does not know.
fn take_parameter(url: &str, name: &str) -> (String, Option<String>) {
    let Some((start, query)) = url.split_once('?') else {
        return (url.to_owned(), None);
    };
    let mut found = None;
    let rest: Vec<&str> = query
        .split('&')
        .filter(|pair| match pair.split_once('=') {
            Some((key, value)) if key == name => {
                found = Some(value.to_owned());
                false
            }
            _ => true,
        })
        .collect();
    let url = if rest.is_empty() {
        start.to_owned()
    } else {
        format!("{start}?{}", rest.join("&"))
    };
    (url, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_printed() {
        let url =
            DatabaseUrl::parse("postgres://ann:s3cret@db.example:5433/chancery?sslmode=require")
                .unwrap();
        assert_eq!(
            url.to_string(),
            "postgres://ann@db.example:5433/chancery?sslmode=require"
        );
        assert!(!format!("{url:?}").contains("s3cret"));
        let error = DatabaseUrl::parse("postgres://ann:s3cret@db.example:port/x").unwrap_err();
        assert!(!error.to_string().contains("s3cret"), "{error}");
    }

    #[test]
    fn files_are_relative_or_absolute() {
        let relative = DatabaseUrl::parse("sqlite://data/chancery.db").unwrap();
        assert!(matches!(&relative.0, Address::Sqlite(file) if !file.is_absolute()));
        let absolute = DatabaseUrl::parse("sqlite:///var/lib/chancery.db").unwrap();
        assert_eq!(absolute.to_string(), "sqlite:///var/lib/chancery.db");
        assert_eq!(
            DatabaseUrl::parse("sqlite://"),
            Err(DatabaseUrlError::NoFile)
        );
    }

    #[test]
    fn other_schemes_are_refused() {
        assert_eq!(
            DatabaseUrl::parse("mysql://x/y"),
            Err(DatabaseUrlError::Scheme)
        );
        assert_eq!(
            DatabaseUrl::parse("postgres:///chancery"),
            Err(DatabaseUrlError::NoHost)
        );
    }

    #[test]
    fn the_root_certificates_are_ours_to_read() {
        let url = DatabaseUrl::parse(
            "postgres://ann@db.example/chancery?sslrootcert=/etc/ca.pem&sslmode=require",
        )
        .unwrap();
        assert!(matches!(
            &url.0,
            Address::Postgres { root_certificates: Some(file), config }
                if file == Path::new("/etc/ca.pem") && config.get_ssl_mode() == SslMode::Require
        ));
    }

    #[test]
    fn encryption_is_left_open_to_other_machines_only() {
        for (url, open) in [
            ("sqlite://x.db", false),
            ("postgres://ann@db.example/x", true),
            ("postgres://ann@db.example/x?sslmode=prefer", true),
            ("postgres://ann@db.example/x?sslmode=require", false),
            ("postgres://ann@db.example/x?sslmode=disable", false),
            ("postgres://ann@localhost/x", false),
            ("postgres://ann@127.0.0.1:5433/x", false),
            ("postgres://ann@127.0.0.1,db.example/x", true),
            ("postgres://ann@%2Frun%2Fpostgresql/x", false),
        ] {
            let parsed = DatabaseUrl::parse(url).unwrap();
            assert_eq!(parsed.leaves_encryption_open(), open, "{url}");
        }
    }
}
