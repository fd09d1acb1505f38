//! What each server's software wants to find in an archive.
//!
//! Every archive has the certificate by itself, its chain by itself, and both in one file, in the form and
//! under the names that software is set up with; `INSTALL.txt` says where they go. No archive has a key:
//! that is where the CSR was made.

use super::zip::File;
use super::{Chain, Extent, PackError, file_stem};

/// The software an archive is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Server {
    /// None in particular: every form there is, and the root.
    Any,
    /// Windows: single files as DER, root included.
    Windows,
    /// Apache httpd.
    Apache,
    /// nginx, and what is configured alike.
    Nginx,
    /// Internet Information Services.
    Iis,
    /// Apache Tomcat.
    Tomcat,
    /// HAProxy.
    Haproxy,
    /// Postfix, Dovecot and other mail servers.
    Mail,
}

impl Server {
    /// The files for a certificate with this common name.
    pub(super) fn files(self, chain: &Chain, name: &str) -> Result<Vec<File>, PackError> {
        let stem = file_stem(name);
        let pem = |suffix: &str, extent: Extent| File {
            name: format!("{stem}{suffix}"),
            content: chain.pem(extent).into_bytes(),
        };
        let der = |name: String, der: &[u8]| File {
            name,
            content: der.to_vec(),
        };
        let pkcs7 = || -> Result<File, PackError> {
            let content = chain.pkcs7_pem()?.into_bytes();
            let name = format!("{stem}.p7b");
            Ok(File { name, content })
        };
        let leaf = pem(".crt", Extent::Leaf);
        let intermediates = pem(".chain.crt", Extent::Intermediates);
        let both = pem(".fullchain.pem", Extent::WithIntermediates);
        let mut files = match self {
            Self::Any => vec![
                leaf,
                intermediates,
                both,
                pem(".root.crt", Extent::Root),
                pkcs7()?,
            ],
            Self::Apache | Self::Nginx | Self::Mail => vec![leaf, intermediates, both],
            Self::Haproxy => vec![pem(".pem", Extent::WithIntermediates), leaf, intermediates],
            Self::Tomcat => vec![leaf, intermediates, pkcs7()?],
            Self::Windows | Self::Iis => {
                let mut files = vec![pkcs7()?, der(format!("{stem}.cer"), &chain.leaf)];
                for (at, intermediate) in chain.intermediates.iter().enumerate() {
                    files.push(der(format!("intermediate{}.cer", at + 1), intermediate));
                }
                files
            }
        };
        if self == Self::Windows {
            files.push(der("root.cer".to_owned(), &chain.root));
        }
        files.push(File {
            name: "INSTALL.txt".to_owned(),
            content: self.note().replace("{name}", &stem).into_bytes(),
        });
        Ok(files)
    }

    fn note(self) -> &'static str {
        match self {
            Self::Any => include_str!("notes/any.txt"),
            Self::Windows => include_str!("notes/windows.txt"),
            Self::Apache => include_str!("notes/apache.txt"),
            Self::Nginx => include_str!("notes/nginx.txt"),
            Self::Iis => include_str!("notes/iis.txt"),
            Self::Tomcat => include_str!("notes/tomcat.txt"),
            Self::Haproxy => include_str!("notes/haproxy.txt"),
            Self::Mail => include_str!("notes/mail.txt"),
        }
    }
}
