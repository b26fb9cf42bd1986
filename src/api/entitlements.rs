//! Entitlements: the products that customers and organizations have. No shape of them was ever seen.

use crate::api::client::{Client, Lacks, Request};
use crate::api::contract::{self, Endpoint, Name, answer, query};
use crate::api::profiles::{Reference, reference};
use crate::api::read::{Detail, all, details, id, text};
use crate::model::reply::ApiError;
use serde_json::{Value, json};

/// Who has products.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holder {
    /// A customer.
    Customer,
    /// An organization, whose customers inherit them.
    Organization,
}

/// A product that somebody has. What the answer does not tell is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entitlement {
    /// Its id, opaque.
    pub id: String,
    /// The product.
    pub product: Option<Reference>,
    /// The kind, in the site's word, and the id of who has it.
    pub holder: Option<(String, String)>,
    /// The detail fields that have values.
    pub details: Option<Vec<Detail>>,
}

impl Client {
    /// Gives a customer or an organization a product. The body is a guess: `[contract] entitlement_product` names the
    /// product's key, and where that is `product` the id stands inside it, as `{"product":{"id":"…"}}`.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; `MaybeApplied` leaves open whether it exists now.
    pub async fn create_entitlement(
        &self,
        holder: Holder,
        of: &str,
        product: &str,
    ) -> Result<Entitlement, ApiError> {
        let endpoint = match holder {
            Holder::Customer => Endpoint::CreateCustomerEntitlement,
            Holder::Organization => Endpoint::CreateOrganizationEntitlement,
        };
        let key = self.contract().name(Name::EntitlementProduct);
        let body = if key == answer::PRODUCT {
            json!({ key: { (answer::ID): product } })
        } else {
            json!({ key: product })
        };
        let request = Request::to(endpoint).of(of).json(&body);
        Ok(self.call(request, entitlement).await?.0)
    }

    /// The entitlements of a customer, inherited ones included, or of an organization; with a product, its alone.
    /// The endpoint is documented, the answer a guess.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; `Refused` with 404 for an unknown holder.
    pub async fn entitlements_of(
        &self,
        holder: Holder,
        of: &str,
        product: Option<&str>,
    ) -> Result<Vec<Entitlement>, ApiError> {
        let endpoint = match holder {
            Holder::Customer => Endpoint::ListCustomerEntitlements,
            Holder::Organization => Endpoint::ListOrganizationEntitlements,
        };
        let mut request = Request::to(endpoint).of(of);
        if let Some(product) = product {
            request = request.query(query::PRODUCT, product);
        }
        Ok(self.call(request, list).await?.0)
    }

    /// One page of the entitlements of a customer or organization, from the `start`-th, at most
    /// [`contract::MAX_ENTITLEMENT_PAGE`]; a page that is not full is the last. Experimental; the words for the two
    /// kinds of holders are a guess.
    ///
    /// # Errors
    /// An [`ApiError`] of any class.
    pub async fn entitlements(
        &self,
        holder: Holder,
        of: &str,
        start: usize,
    ) -> Result<Vec<Entitlement>, ApiError> {
        let word = self.contract().name(match holder {
            Holder::Customer => Name::EntitlementCustomer,
            Holder::Organization => Name::EntitlementOrganization,
        });
        let request = Request::to(Endpoint::ListEntitlements)
            .query(query::ENTITY_TYPE, word)
            .query(query::ENTITY_ID, of)
            .query(query::START, &start.to_string())
            .query(query::LIMIT, &contract::MAX_ENTITLEMENT_PAGE.to_string());
        Ok(self.call(request, list).await?.0)
    }

    /// Reads an entitlement.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; `Refused` with 404 for an unknown id.
    pub async fn entitlement(&self, which: &str) -> Result<Entitlement, ApiError> {
        let request = Request::to(Endpoint::GetEntitlement).of(which);
        Ok(self.call(request, entitlement).await?.0)
    }

    /// Deletes an entitlement for good. Documented.
    ///
    /// # Errors
    /// An [`ApiError`] of any class; `Refused` with 404 where there is none (any more).
    pub async fn delete_entitlement(&self, which: &str) -> Result<(), ApiError> {
        self.delete(Endpoint::DeleteEntitlement, which).await
    }
}

fn list(value: &Value) -> Result<Vec<Entitlement>, Lacks> {
    all(value, answer::RESULTS, "the list results", entitlement)
}

pub(super) fn entitlement(value: &Value) -> Result<Entitlement, Lacks> {
    let holder = value.get(answer::ENTITY).and_then(|holder| {
        let kind = text(holder, answer::TYPE)?;
        Some((kind, id(holder)?))
    });
    Ok(Entitlement {
        id: id(value).ok_or(Lacks("an entitlement's id"))?,
        product: value
            .get(answer::PRODUCT)
            .and_then(|product| reference(product).ok()),
        holder,
        details: details(value)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::scripted::{Scripted, exchange};
    use crate::model::reply::ErrorClass;

    const ONE: &str = r#"{"id":"e-1","product":{"id":"p-1","name":"Router"},"entity":{"type":"CUSTOMER","id":"qm:1"},
        "details":[{"name":"Seats","values":["5"]}]}"#;

    fn one() -> Entitlement {
        Entitlement {
            id: "e-1".to_owned(),
            product: Some(Reference {
                id: "p-1".to_owned(),
                name: Some("Router".to_owned()),
            }),
            holder: Some(("CUSTOMER".to_owned(), "qm:1".to_owned())),
            details: Some(vec![Detail {
                name: "Seats".to_owned(),
                values: vec!["5".to_owned()],
            }]),
        }
    }

    #[tokio::test]
    async fn a_product_is_given_to_either_holder() {
        let (given, asked) = exchange(200, ONE, async |client| {
            client
                .create_entitlement(Holder::Customer, "qm:1", "p-1")
                .await
        })
        .await;
        assert_eq!(given, Ok(one()));
        insta::assert_snapshot!(asked, @r#"POST /api/v1/customer/qm%3A1/entitlement {"productId":"p-1"}"#);
        let (_, asked) = exchange(200, ONE, async |client| {
            client
                .create_entitlement(Holder::Organization, "7", "p-1")
                .await
        })
        .await;
        insta::assert_snapshot!(asked, @r#"POST /api/v1/organization/7/entitlement {"productId":"p-1"}"#);
    }

    #[tokio::test]
    async fn the_products_key_may_be_said_otherwise() {
        for (key, body) in [
            ("product", r#"{"product":{"id":"p-1"}}"#),
            ("pid", r#"{"pid":"p-1"}"#),
        ] {
            let server = Scripted::json(200, ONE);
            let client =
                server.client_of(contract::Contract::default().with(Name::EntitlementProduct, key));
            client
                .create_entitlement(Holder::Customer, "c", "p-1")
                .await
                .expect("created");
            assert_eq!(server.seen()[0].body, body.as_bytes());
        }
    }

    #[tokio::test]
    async fn they_are_listed_of_a_holder_and_page_by_page() {
        let body = format!(r#"{{"results":[{ONE},{{"id":2}}]}}"#);
        let (given, asked) = exchange(200, &body, async |client| {
            client.entitlements_of(Holder::Customer, "qm:1", None).await
        })
        .await;
        let given = given.expect("a list");
        assert_eq!(given[0], one());
        assert_eq!(
            (&*given[1].id, &given[1].product, &given[1].holder),
            ("2", &None, &None)
        );
        insta::assert_snapshot!(asked, @"GET /api/v1/customer/qm%3A1/entitlement");

        let (_, asked) = exchange(200, &body, async |client| {
            client
                .entitlements_of(Holder::Organization, "7", Some("a b"))
                .await
        })
        .await;
        insta::assert_snapshot!(asked, @"GET /api/v1/organization/7/entitlement?product=a+b");

        for (holder, word) in [
            (Holder::Customer, "CUSTOMER"),
            (Holder::Organization, "ORGANIZATION"),
        ] {
            let (given, asked) = exchange(200, &body, async |client| {
                client.entitlements(holder, "qm:1", 25).await
            })
            .await;
            assert_eq!(given.expect("a page").len(), 2);
            let expected = format!(
                "GET /api/v1/entitlements?entityType={word}&entityId=qm%3A1&start=25&limit=25"
            );
            assert_eq!(asked, expected);
        }
    }

    #[tokio::test]
    async fn one_is_read_and_deleted() {
        let (given, asked) =
            exchange(200, ONE, async |client| client.entitlement("e-1").await).await;
        assert_eq!(given, Ok(one()));
        insta::assert_snapshot!(asked, @"GET /api/v1/entitlement/e-1");
        let (given, asked) = exchange(204, "", async |client| {
            client.delete_entitlement("e-1").await
        })
        .await;
        assert_eq!(given, Ok(()));
        insta::assert_snapshot!(asked, @"DELETE /api/v1/entitlement/e-1");
    }

    #[tokio::test]
    async fn a_list_that_cannot_be_read_whole_is_not_taken_for_a_shorter_one() {
        for body in [
            "{}",
            r#"{"results":null}"#,
            r#"{"results":[{"product":{}}]}"#,
            r#"{"results":[{"id":"e","details":7}]}"#,
        ] {
            let (given, _) = exchange(200, body, async |client| {
                client.entitlements_of(Holder::Customer, "c", None).await
            })
            .await;
            assert_eq!(
                given.expect_err("unusable").class,
                ErrorClass::Broken,
                "{body}"
            );
        }
    }
}
