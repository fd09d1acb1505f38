//! Certificates, as files.

use chancery_domain::fields::Field;

use super::{Operation, fields};
use crate::downloads::content_types;

pub(crate) const DOWNLOAD: Operation = Operation::new(
    "Orders",
    "downloadCertificate",
    "Download certificate",
    "The file itself, under the content type of its format. `PFX`, `P12`, `PKCS12` and `JKS` need the key and a \
     password; other formats look at neither. A certificate that is revoked is refused unless \
     `includeRevoked` says otherwise. Where nothing is to be said, no body is needed.",
)
.takes_form(|| {
    let parts = [
        Field::WithChain,
        Field::PrivateKey,
        Field::StorePassword,
        Field::Legacy,
        Field::IncludeRevoked,
    ];
    fields::object(&[], &parts)
})
.answers_file(content_types);
