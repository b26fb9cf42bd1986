//! The typed client against the sandbox, call by call, with the API's description as the judge of both sides.
//!
//! Besides, every sandbox of every test logs what passes, and its `Place` judges that; see `support::openapi`.

use crate::support::openapi::DESCRIPTION;
use crate::support::place::Place;
use crate::support::sandbox::Sandbox;
use crate::support::scripted::{Answer, CREDENTIALS, Scripted};
use csm_loader::api::auth::Auth;
use csm_loader::api::client::{Client, ClientConfig, Gate};
use csm_loader::api::contract::{Contract, Endpoint, Name};
use csm_loader::api::entitlements::Holder;
use csm_loader::api::lookup::discover;
use csm_loader::api::site::Site;
use csm_loader::model::entity::Owner;
use csm_loader::model::reply::{ApiError, TaskView};
use serde_json::json;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// Operations that other tests exercise: those of credentials.
const ELSEWHERE: [&str; 2] = ["accessibleResources", "token"];

const SITE: &str = r#"
[[customer_detail]]
name = "External ID"
type = "TEXT"
[[customer_detail]]
name = "Region"
type = "SELECT"
options = ["EMEA", "APAC"]
[[organization_detail]]
name = "Industry"
type = "TEXT"
"#;

/// Lets every request leave at once.
#[derive(Debug)]
struct AtOnce;

impl Gate for AtOnce {
    fn ready(&self, _: Endpoint) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {})
    }

    fn refused(&self, _: Endpoint, _: &ApiError) {}
}

/// A client of a served sandbox, and what became of its calls.
struct Caller {
    client: Client,
    odd: RefCell<Vec<String>>,
}

impl Caller {
    fn new(sandbox: &Sandbox) -> Self {
        Self::by(sandbox, Contract::default())
    }

    fn by(sandbox: &Sandbox, contract: Contract) -> Self {
        let config = ClientConfig {
            site: Site::cloud(&sandbox.base_url, &sandbox.cloud_id).unwrap(),
            auth: Auth::Basic {
                email: "ana@example.com".to_owned(),
                token: "token".into(),
            },
            timeout: Duration::from_mins(1),
            user_agent: "jira-csm-loader-int/0".to_owned(),
            contract: Arc::new(contract),
            gate: Arc::new(AtOnce),
        };
        Self {
            client: Client::new(config).unwrap(),
            odd: RefCell::default(),
        }
    }

    /// An answer; takes note of one that is none.
    fn heard<T>(&self, endpoint: Endpoint, answer: Result<T, ApiError>) -> Option<T> {
        let error = |error| format!("{endpoint:?}: {error}");
        let noted = answer.map_err(|e| self.odd.borrow_mut().push(error(e)));
        noted.ok()
    }

    /// A bulk request, and its task to the end: it may not fail.
    async fn bulk(&self, endpoint: Endpoint, body: serde_json::Value) {
        let key = format!("key of {endpoint:?}");
        let accepted = self
            .client
            .submit(endpoint, body.to_string().into_bytes().into(), &key)
            .await;
        let Some(accepted) = self.heard(endpoint, accepted) else {
            return;
        };
        loop {
            let view = self.client.task(&accepted.task).await;
            match self.heard(Endpoint::GetTask, view) {
                Some(TaskView::Running) => tokio::time::sleep(Duration::from_millis(5)).await,
                Some(TaskView::Finished(failures)) if failures.is_empty() => return,
                ended => {
                    return self
                        .odd
                        .borrow_mut()
                        .push(format!("{endpoint:?} ended {ended:?}"));
                }
            }
        }
    }
}

#[test]
fn every_typed_call_and_its_answer_are_as_the_description_says() {
    let place = Place::new();
    place.write("site.toml", SITE);
    let sandbox = Sandbox::serve(&place, "--seed site.toml");
    let caller = Caller::new(&sandbox);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        fields(&caller).await;
        let product = products(&caller).await;
        let organization = organizations(&caller, &product).await;
        let customer = customers(&caller, &organization).await;
        fallback(&caller, &organization, &customer).await;
        entitlements(&caller, &organization, &customer, &product).await;
        deletions(&caller, &organization, &customer, &product).await;
        let found = discover(&sandbox.base_url, "x", Duration::from_mins(1)).await;
        assert_eq!(found.as_deref(), Ok(&*sandbox.cloud_id));
    });
    let odd = caller.odd.into_inner();
    // a connection that is held open would be waited for
    drop((caller.client, runtime));
    sandbox.stop();
    assert!(odd.is_empty(), "{}", odd.join("\n"));

    // which operations were exercised, and that it is all that there are
    let exchanges = place.exchanges();
    let succeeded = exchanges
        .iter()
        .filter(|exchange| exchange.status.is_some_and(|status| status < 300));
    let exercised: BTreeSet<_> = succeeded
        .filter_map(|exchange| Some(DESCRIPTION.operation(exchange)?.id.clone()))
        .collect();
    let known = ELSEWHERE.map(str::to_owned).into_iter().chain(exercised);
    let described: BTreeSet<_> = DESCRIPTION.ids().map(str::to_owned).collect();
    assert_eq!(known.collect::<BTreeSet<_>>(), described);
}

#[test]
fn the_table_of_endpoints_and_the_description_name_the_same_operations() {
    let described: BTreeSet<_> = DESCRIPTION.ids().map(str::to_owned).collect();
    let known: BTreeSet<_> = Endpoint::ALL
        .iter()
        .map(|endpoint| operation_id(*endpoint))
        .collect();
    assert_eq!(known, described);
}

/// As the description calls it.
fn operation_id(endpoint: Endpoint) -> String {
    let name = format!("{endpoint:?}");
    let (first, rest) = name.split_at(1);
    format!("{}{rest}", first.to_lowercase())
}

async fn fields(caller: &Caller) {
    use Endpoint as E;
    let client = &caller.client;
    for (of, list, create, edit, delete) in [
        (
            Owner::Customer,
            E::ListCustomerDetailFields,
            E::CreateCustomerDetailField,
            E::EditCustomerDetailField,
            E::DeleteCustomerDetailField,
        ),
        (
            Owner::Organization,
            E::ListOrganizationDetailFields,
            E::CreateOrganizationDetailField,
            E::EditOrganizationDetailField,
            E::DeleteOrganizationDetailField,
        ),
        (
            Owner::Entitlement,
            E::ListEntitlementDetailFields,
            E::CreateEntitlementDetailField,
            E::EditEntitlementDetailField,
            E::DeleteEntitlementDetailField,
        ),
    ] {
        let options = ["Low".to_owned(), "High".to_owned()];
        let seats = json!({ "name": "Seats", "type": { "name": "NUMBER" } });
        let tier = json!({ "name": "Tier", "type": { "name": "SELECT", "options": options } });
        let [seats, tier] = [seats, tier].map(|field| field.to_string().into_bytes());
        caller.heard(create, client.create_detail_field(of, seats).await);
        let created = caller.heard(create, client.create_detail_field(of, tier).await);
        if let Some(created) = created {
            assert_eq!(
                (&*created.name, &created.options[..]),
                ("Tier", &options[..])
            );
        }
        caller.heard(
            edit,
            client
                .edit_detail_field(of, "Tier", "Level", Some(&options[..1]))
                .await,
        );
        if let Some(fields) = caller.heard(list, client.detail_fields(of).await) {
            let has = |name: &str| fields.iter().any(|field| field.name == name);
            assert!(
                has("Level") && has("Seats") && !has("Tier"),
                "{of:?}: {fields:?}"
            );
        }
        caller.heard(delete, client.delete_detail_field(of, "Level").await);
    }
    for endpoint in [
        E::BulkCustomerDetailDefinitions,
        E::BulkOrganizationDetailDefinitions,
    ] {
        let fields = json!([
            { "name": "Plan", "type": { "name": "SELECT", "options": ["Free", "Pro"] } },
            { "name": "Since", "type": { "name": "DATE" } },
        ]);
        caller
            .bulk(endpoint, json!({ "detailFields": fields }))
            .await;
    }
}

async fn products(caller: &Caller) -> String {
    let client = &caller.client;
    let created = client.create_product("Router").await;
    let product = caller
        .heard(Endpoint::CreateProduct, created)
        .map_or_else(nobody, |named| named.id);
    caller.heard(Endpoint::GetProduct, client.product(&product).await);
    caller.heard(
        Endpoint::RenameProduct,
        client.rename_product(&product, "Router 2").await,
    );
    let page = caller.heard(Endpoint::ListProducts, client.products(None).await);
    assert_eq!(page.map(|page| page.products.len()), Some(1));
    product
}

/// An id that no record has.
fn nobody() -> String {
    "0".to_owned()
}

async fn organizations(caller: &Caller, product: &str) -> String {
    use Endpoint as E;
    let client = &caller.client;
    let created = caller.heard(
        E::CreateOrganization,
        client.create_organization("Acme").await,
    );
    let id = created.map_or_else(nobody, |named| named.id);
    let ids = [id.clone()];
    caller.heard(
        E::UpdateOrganization,
        client.rename_organization(&id, "Acme Ltd").await,
    );
    let payload =
        json!({ "name": "Globex", "details": [{ "name": "Industry", "values": ["Retail"] }] });
    let payload = payload.to_string().into_bytes();
    caller.heard(
        E::CreateOrganizationProfile,
        client.create_organization_profile(payload).await,
    );
    let profile = json!({
        "name": "Initech",
        "details": [{ "name": "Industry", "values": ["Software"] }],
        "associateProducts": { "productIds": [product] },
    });
    let items = json!([{ "operationType": "UPSERT", "payload": profile }]);
    caller
        .bulk(
            E::BulkOrganizationProfiles,
            json!({ "organizationProfiles": items }),
        )
        .await;
    let items = json!([{ "operationType": "CREATE", "payload": { "name": "Umbrella" } }]);
    caller
        .bulk(E::BulkOrganizations, json!({ "organizations": items }))
        .await;
    let operation =
        json!({ "operationType": "UPDATE", "payload": { "name": "Industry", "values": ["Food"] } });
    let items = json!([{ "organizationId": id, "operations": [operation] }]);
    caller
        .bulk(
            E::BulkOrganizationDetails,
            json!({ "organizations": items }),
        )
        .await;
    let set = client
        .set_detail(Owner::Organization, &id, "Industry", &["Mining".to_owned()])
        .await;
    caller.heard(E::SetOrganizationDetail, set);
    caller.heard(E::GetOrganization, client.organization(&id).await);
    caller.heard(
        E::GetOrganizationProfile,
        client.organization_profile(&id).await,
    );
    caller.heard(
        E::FetchOrganizationProfiles,
        client.organization_profiles(&ids).await,
    );
    let found = caller.heard(
        E::FetchOrganizations,
        client.organizations_by_id(&ids).await,
    );
    assert_eq!(found.map(|found| found.len()), Some(1));
    let found = client.organizations_by_name(&["initech".to_owned()]).await;
    assert_eq!(
        caller
            .heard(E::FetchOrganizations, found)
            .map(|found| found.len()),
        Some(1)
    );
    id
}

async fn customers(caller: &Caller, organization: &str) -> String {
    use Endpoint as E;
    let client = &caller.client;
    let profile = json!({
        "email": "ana@example.com",
        "displayName": "Ana",
        "details": [{ "name": "External ID", "values": ["17"] }],
        "associateOrganizations": { "organizationIds": [organization] },
    });
    let items = json!([{ "operationType": "UPSERT", "payload": profile }]);
    caller
        .bulk(
            E::BulkCustomerProfiles,
            json!({ "customerProfiles": items }),
        )
        .await;
    let found = client.customers_with(&[("External ID", "17")], 0, 50).await;
    let found = caller
        .heard(E::SearchCustomersByDetailField, found)
        .unwrap_or_default();
    let id = found.first().map_or_else(nobody, |found| found.id.clone());
    let ids = [id.clone()];
    let account = json!({ "customerId": id, "email": "ana@example.com", "displayName": "Ana A" });
    let items = json!([{ "operationType": "UPDATE", "payload": account }]);
    caller
        .bulk(
            E::BulkCustomerAccounts,
            json!({ "customerAccounts": items }),
        )
        .await;
    let update =
        json!({ "operationType": "UPDATE", "payload": { "name": "Region", "values": ["EMEA"] } });
    let delete = json!({ "operationType": "DELETE", "payload": { "name": "External ID" } });
    let items = json!([{ "customerId": id, "operations": [update, delete] }]);
    caller
        .bulk(E::BulkCustomerDetails, json!({ "customers": items }))
        .await;
    let payload = json!({ "email": "bo@example.com", "displayName": "Bo" }).to_string();
    caller.heard(
        E::CreateCustomerProfile,
        client.create_customer_profile(payload.into_bytes()).await,
    );
    caller.heard(
        E::CreateCustomerAccount,
        client.create_account("cy@example.com", Some("Cy")).await,
    );
    caller.heard(E::GetCustomerAccount, client.account(&id).await);
    caller.heard(
        E::UpdateCustomerAccount,
        client.rename_account(&id, "Ana B").await,
    );
    let set = client
        .set_detail(Owner::Customer, &id, "Region", &["APAC".to_owned()])
        .await;
    caller.heard(E::SetCustomerDetail, set);
    caller.heard(E::GetCustomer, client.customer(&id).await);
    caller.heard(E::GetCustomerProfile, client.customer_profile(&id).await);
    let profiles = caller.heard(
        E::FetchCustomerProfiles,
        client.customer_profiles(&ids).await,
    );
    assert_eq!(profiles.map(|profiles| profiles.len()), Some(1));
    caller.heard(E::FetchCustomerProfiles, client.customer_emails(&ids).await);
    caller.heard(
        E::ListCustomerExperiences,
        client.customer_experiences(&id).await,
    );
    id
}

async fn fallback(caller: &Caller, organization: &str, customer: &str) {
    let client = &caller.client;
    caller.heard(
        Endpoint::SearchUsers,
        client.users_like("ana@example.com").await,
    );
    let page = client.service_desk_organizations(0).await;
    caller.heard(Endpoint::ListServiceDeskOrganizations, page);
    let added = client
        .add_to_organization(organization, &[customer.to_owned()])
        .await;
    caller.heard(Endpoint::AddServiceDeskOrganizationUsers, added);
}

async fn entitlements(caller: &Caller, organization: &str, customer: &str, product: &str) {
    use Endpoint as E;
    let client = &caller.client;
    let mut last = nobody();
    for (holder, of, create, list) in [
        (
            Holder::Organization,
            organization,
            E::CreateOrganizationEntitlement,
            E::ListOrganizationEntitlements,
        ),
        (
            Holder::Customer,
            customer,
            E::CreateCustomerEntitlement,
            E::ListCustomerEntitlements,
        ),
    ] {
        let created = client.create_entitlement(holder, of, product).await;
        if let Some(created) = caller.heard(create, created) {
            last = created.id;
        }
        caller.heard(list, client.entitlements_of(holder, of, None).await);
        caller.heard(
            list,
            client.entitlements_of(holder, of, Some(product)).await,
        );
        caller.heard(
            E::ListEntitlements,
            client.entitlements(holder, of, 0).await,
        );
    }
    caller.heard(E::GetEntitlement, client.entitlement(&last).await);
    let set = client
        .set_detail(Owner::Entitlement, &last, "Seats", &["5".to_owned()])
        .await;
    caller.heard(E::SetEntitlementDetail, set);
    caller.heard(E::DeleteEntitlement, client.delete_entitlement(&last).await);
}

async fn deletions(caller: &Caller, organization: &str, customer: &str, product: &str) {
    let client = &caller.client;
    caller.heard(
        Endpoint::DeleteProduct,
        client.delete_product(product).await,
    );
    caller.heard(
        Endpoint::DeleteOrganization,
        client.delete_organization(organization).await,
    );
    caller.heard(
        Endpoint::DeleteCustomerAccount,
        client.delete_account(customer).await,
    );
}

#[test]
fn a_job_that_says_a_name_otherwise_is_heard() {
    let place = Place::new();
    let mapping =
        "entity = \"customer\"\n[fields]\nemail = \"email\"\n[organizations]\nnames = \"of\"\n";
    place.write("people.toml", mapping);
    place.write("people.csv", "email,of\na@example.com,Acme\n");
    let site = Scripted::serve(|request| match &*request.path {
        "/api/v1/organization/fetch" => {
            Answer::json(200, &json!({ "found": [{ "id": "7", "name": "Acme" }] }))
        }
        _ if request.is_bulk() => Answer::json(202, &json!({ "id": "t-1" })),
        _ => Answer::task("t-1", "FINISHED", &json!([])),
    });
    let otherwise =
        "[contract]\nfetch_organization_names = \"names\"\nfetched_organizations = \"found\"\n";
    place.write("job.toml", site.job(otherwise));
    place
        .run_with("load --quiet job.toml", &CREDENTIALS)
        .expect(0);
    let asked = &site.seen()[0];
    assert_eq!(
        String::from_utf8_lossy(&asked.body),
        r#"{"names":["Acme"]}"#
    );
    assert_eq!(place.results("out.csv").column("status"), ["loaded"]);
    site.exempt("[contract] gives a key another name than the description");
}

#[test]
fn a_served_site_takes_the_names_of_its_contract_and_no_others() {
    let place = Place::new();
    let named = "[contract]\nentitlement_product = \"product\"\nfound_customers = \"found\"\n";
    place.write("contract.toml", named);
    let sandbox = Sandbox::serve(&place, "--contract contract.toml");
    let usual = Caller::new(&sandbox);
    let named = Contract::default()
        .with(Name::EntitlementProduct, "product")
        .with(Name::FoundCustomers, "found");
    let caller = Caller::by(&sandbox, named);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let product = caller.client.create_product("Router").await.unwrap().id;
        let acme = caller.client.create_organization("Acme").await.unwrap().id;
        let holder = Holder::Organization;
        let created = caller
            .client
            .create_entitlement(holder, &acme, &product)
            .await;
        let given = created.unwrap().product.and_then(|product| product.name);
        assert_eq!(given.as_deref(), Some("Router"));
        let refused = usual
            .client
            .create_entitlement(holder, &acme, &product)
            .await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("unknown key"), "{refused}");
    });
    drop((usual.client, caller.client, runtime));
    sandbox.stop();
    place.judge_only("the names are not the description's", |exchange| {
        !exchange.path.ends_with("/entitlement")
    });
}

#[test]
fn the_built_in_site_agrees_with_the_job_on_names() {
    let place = Place::new();
    let mapping =
        "entity = \"customer\"\n[fields]\nemail = \"email\"\n[organizations]\nnames = \"of\"\n";
    place.write("people.toml", mapping);
    place.write("people.csv", "email,of\na@example.com,Acme\n");
    place.write("site.toml", "[[organization]]\nname = \"Acme\"\n");
    let job = "[site]\ntarget = \"sandbox\"\n[sandbox]\nseed = \"site.toml\"\n\
        [contract]\nfetch_organization_names = \"names\"\nfetched_organizations = \"found\"\n\
        customer_profiles = \"profiles\"\nassociate_organizations = \"organizations\"\n\
        [[stage]]\nmapping = \"people.toml\"\ninput = \"people.csv\"\nresults = \"out.csv\"\n";
    place.write("job.toml", job);
    place.run("load --quiet job.toml").expect(0);
    assert_eq!(place.results("out.csv").column("status"), ["loaded"]);
    let sandbox = Sandbox::serve(&place, "");
    let ana = &sandbox.records("customers")["a@example.com"];
    assert_eq!(ana["organizations"][0]["name"], "Acme");
    sandbox.stop();
    place.judge_only("the names are not the description's", |exchange| {
        exchange.method == "GET"
    });
}

#[test]
fn the_contract_is_listed_as_the_job_has_it() {
    let place = Place::new();
    let job = "[contract]\ntask_limit = 10\nfound_customers = \"values\"\n[[stage]]\nmapping = \"m\"\ninput = \"i\"\n";
    place.write("job.toml", job);
    let listed = place.run("contract --job job.toml").expect(0).stdout;
    let line = |start: &str| {
        listed
            .lines()
            .find(|line| line.starts_with(start))
            .unwrap_or_default()
    };
    insta::assert_snapshot!(line("found_customers"), @"found_customers                 values                  results                 guess  POST customer/search-by-detail-field: the answer's list");
    insta::assert_snapshot!(line("task_limit"), @"task_limit         10      5        unfinished tasks a site allows; one page says 5, another 10");
    let wrong = job.replace("task_limit", "tasks");
    place.write("job.toml", wrong);
    let failed = place.run("contract --job job.toml").expect(3);
    assert!(
        failed
            .stderr
            .contains("unknown field `tasks`, expected one of `customer_accounts`"),
        "{}",
        failed.stderr
    );
}

#[test]
fn a_request_by_hand_that_is_wrong_would_be_told() {
    let place = Place::new();
    let sandbox = Sandbox::serve(&place, "");
    let caller = Caller::new(&sandbox);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let body =
        br#"{"customerProfiles":[{"operationType":"UPSERT","payload":{"mail":"a@example.com"}}]}"#;
    let submitted = caller
        .client
        .submit(Endpoint::BulkCustomerProfiles, body.to_vec().into(), "k");
    let refused = runtime.block_on(submitted).unwrap_err();
    assert_eq!(refused.status, Some(400), "{refused}");
    drop((caller, runtime));
    sandbox.stop();
    let exchanges = place.exchanges();
    assert_eq!(exchanges.len(), 1);
    assert!(!DESCRIPTION.faults(&exchanges[0]).is_empty());
    place.judge_only("a key is misspelt", |_| false);
}
