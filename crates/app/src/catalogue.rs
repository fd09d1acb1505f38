//! Reading the product catalogue from its file.

use chancery_domain::catalogue::{Catalogue, CatalogueError, RawCatalogue};

/// Why a catalogue file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueFileError {
    /// It is not TOML, or a key is missing, unknown or of the wrong type.
    #[error("the catalogue cannot be read")]
    Syntax(#[from] toml::de::Error),
    /// A product contradicts itself.
    #[error(transparent)]
    Product(#[from] CatalogueError),
}

/// Reads a catalogue from TOML.
pub fn parse_catalogue(text: &str) -> Result<Catalogue, CatalogueFileError> {
    let raw: RawCatalogue = toml::from_str(text)?;
    Ok(Catalogue::check(raw)?)
}

/// The catalogue that OTE mode starts with.
pub fn built_in_catalogue() -> Catalogue {
    parse_catalogue(include_str!("catalogue.toml")).expect("the built-in catalogue is right")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_catalogue_sells_every_kind() {
        let catalogue = built_in_catalogue();
        let ssl123 = catalogue.product("SSL123").unwrap();
        assert_eq!(ssl123.key, "ssl123");
        assert!(catalogue.products().any(|product| product.wildcard));
        for kind in ["DV", "OV", "EV"] {
            assert!(
                catalogue
                    .products()
                    .any(|product| product.validation.as_str() == kind)
            );
        }
    }

    #[test]
    fn a_wrong_catalogue_names_the_product() {
        let text = include_str!("catalogue.toml").replace("\"10.00\"", "\"10.001\"");
        let error = parse_catalogue(&text).unwrap_err();
        assert!(error.to_string().contains("product '"), "{error}");
        let error = parse_catalogue("[[product]]\nkey = 'x'").unwrap_err();
        assert!(matches!(error, CatalogueFileError::Syntax(_)));
    }
}
