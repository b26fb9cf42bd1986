//! Products: twelve rows, among them one without a name, one repeated, and two that the site has.

use crate::expected::{Planted, Reason};
use crate::tables::{Dialect, Table, Values};
use crate::words::LOADED_PRODUCTS;

/// A list that went through a spreadsheet with European settings.
pub(crate) const DIALECT: Dialect = Dialect {
    delimiter: b';',
    spreadsheet: false,
};

/// The price list and what was planted in it.
pub(crate) struct Products {
    /// Number and name of each product.
    rows: Vec<(&'static str, Option<&'static str>)>,
    /// What was planted in each row.
    pub(crate) planted: Vec<Planted>,
}

impl Products {
    /// The twelve rows, by number.
    pub(crate) fn new() -> Self {
        let mut rows: Vec<(&str, Option<&str>)> = LOADED_PRODUCTS
            .iter()
            .map(|(sku, name)| (*sku, Some(*name)))
            .chain([
                ("000101", Some(" FIELD SERVICE ")),
                ("000102", Some("Cloud Backup")),
                ("000105", Some("support portal")),
                ("000109", None),
            ])
            .collect();
        rows.sort_unstable();
        let planted = rows
            .iter()
            .map(|(sku, name)| {
                let mut planted = Planted {
                    key: (*sku).to_owned(),
                    ..Planted::default()
                };
                match *sku {
                    "000101" | "000108" => planted.shared_key = Some(0),
                    "000102" | "000105" => planted.present = true,
                    _ => {}
                }
                if name.is_none() {
                    planted.reasons.push(Reason {
                        place: 10,
                        code: "REQUIRED_MISSING",
                        field: "name",
                        message: "no value; the field is required".into(),
                    });
                }
                planted
            })
            .collect();
        Self { rows, planted }
    }

    /// The rows as a table.
    pub(crate) fn table(&self) -> Table {
        let prices = (0_i64..)
            .zip(&self.rows)
            .map(|(row, _)| Some(1_990 + row * 2_505));
        let families = ["Service", "Infrastructure", "Insight"];
        Table {
            columns: vec![
                (
                    "sku",
                    Values::Text(
                        self.rows
                            .iter()
                            .map(|(sku, _)| Some((*sku).to_owned()))
                            .collect(),
                    ),
                ),
                (
                    "name",
                    Values::Text(
                        self.rows
                            .iter()
                            .map(|(_, name)| name.map(str::to_owned))
                            .collect(),
                    ),
                ),
                (
                    "family",
                    Values::Category(
                        families
                            .iter()
                            .cycle()
                            .take(self.rows.len())
                            .map(|family| Some((*family).to_owned()))
                            .collect(),
                    ),
                ),
                ("list_price", Values::Decimal(prices.collect())),
            ],
        }
    }
}
