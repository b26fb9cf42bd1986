//! Where credentials come from: the environment, or private files. Never the job file itself.

use super::exit::{Exit, Failure};
use super::job::{AuthMethod, AuthTable};
use crate::api::auth::Auth;
use crate::api::auth::login::App;
use secrecy::{ExposeSecret, SecretString};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The credentials of a job.
pub(super) enum Credentials {
    /// Such as go into requests as they are.
    Ready(Auth),
    /// A person's consent to an app: access tokens are made from a refresh token, which may be kept elsewhere.
    OAuth {
        /// The app.
        app: App,
        /// The refresh token, where the settings name one.
        refresh_token: Option<SecretString>,
    },
    /// A service account's credential.
    Service(App),
}

/// Finds the credentials of a job. `base` is the folder that the job's paths start from; `var` looks a variable up.
///
/// # Errors
/// When one is missing, or a file is open to others.
pub(super) fn find(
    table: &AuthTable,
    base: &Path,
    var: impl Fn(&str) -> Option<String>,
) -> Result<Credentials, Failure> {
    let found = Found { base, var };
    let app = || {
        let id = found.open(
            "CSM_LOADER_CLIENT_ID",
            table.client_id.as_ref(),
            table.client_id_file.as_ref(),
        )?;
        let client_id = id.ok_or_else(|| {
            missing("set CSM_LOADER_CLIENT_ID, or client_id in [auth], to the app's client id")
        })?;
        let client_secret = found.required(
            "CSM_LOADER_CLIENT_SECRET",
            table.client_secret_file.as_ref(),
            "client_secret_file",
        )?;
        Ok(App {
            client_id,
            client_secret,
        })
    };
    match table.method.unwrap_or_default() {
        AuthMethod::Basic => {
            let email = found.open(
                "CSM_LOADER_EMAIL",
                table.email.as_ref(),
                table.email_file.as_ref(),
            )?;
            let email = email.ok_or_else(|| {
                missing("set CSM_LOADER_EMAIL, or email in [auth], to the account's address")
            })?;
            let token = found.required(
                "CSM_LOADER_API_TOKEN",
                table.api_token_file.as_ref(),
                "api_token_file",
            )?;
            Ok(Credentials::Ready(Auth::Basic { email, token }))
        }
        AuthMethod::Bearer => {
            let token = found.required(
                "CSM_LOADER_ACCESS_TOKEN",
                table.access_token_file.as_ref(),
                "access_token_file",
            )?;
            Ok(Credentials::Ready(Auth::Bearer { token }))
        }
        AuthMethod::OAuth => Ok(Credentials::OAuth {
            app: app()?,
            refresh_token: found.secret(
                "CSM_LOADER_REFRESH_TOKEN",
                table.refresh_token_file.as_ref(),
            )?,
        }),
        AuthMethod::ClientCredentials => Ok(Credentials::Service(app()?)),
    }
}

fn missing(what: &str) -> Failure {
    Failure::new(Exit::Input, format!("no credentials: {what}"))
}

struct Found<'a, V> {
    base: &'a Path,
    var: V,
}

impl<V: Fn(&str) -> Option<String>> Found<'_, V> {
    fn secret(&self, name: &str, file: Option<&PathBuf>) -> Result<Option<SecretString>, Failure> {
        match ((self.var)(name), file) {
            (Some(value), _) => Ok(Some(SecretString::from(value))),
            (None, Some(path)) => read_private(&self.base.join(path)).map(Some),
            (None, None) => Ok(None),
        }
    }

    fn required(
        &self,
        name: &str,
        file: Option<&PathBuf>,
        key: &str,
    ) -> Result<SecretString, Failure> {
        self.secret(name, file)?.ok_or_else(|| {
            missing(&format!(
                "set {name}, or name a private file with {key} in [auth]"
            ))
        })
    }

    /// What is no secret may stand in the job file.
    fn open(
        &self,
        name: &str,
        written: Option<&String>,
        file: Option<&PathBuf>,
    ) -> Result<Option<String>, Failure> {
        if let Some(value) = (self.var)(name) {
            return Ok(Some(value));
        }
        match (written, file) {
            (Some(value), _) => Ok(Some(value.clone())),
            (None, Some(path)) => {
                let value = read_private(&self.base.join(path))?;
                Ok(Some(value.expose_secret().to_owned()))
            }
            (None, None) => Ok(None),
        }
    }
}

fn read_private(path: &Path) -> Result<SecretString, Failure> {
    let name = path.display();
    let failed = |error| {
        Failure::new(
            Exit::Input,
            format!("failed to read the secret in {name}: {error}"),
        )
    };
    let mode = std::fs::metadata(path).map_err(failed)?.mode();
    if mode & 0o077 != 0 {
        let message = format!(
            "{name} is open to other users (mode {:03o}); run: chmod 600 {name}",
            mode & 0o777
        );
        return Err(Failure::new(Exit::Input, message));
    }
    let text = std::fs::read_to_string(path).map_err(failed)?;
    Ok(SecretString::from(text.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn refused(table: &AuthTable, known: &[(&str, &str)]) -> String {
        let var = |name: &str| {
            let (_, value) = known.iter().find(|(known, _)| *known == name)?;
            Some((*value).to_owned())
        };
        let found = find(table, Path::new("."), var);
        found.err().unwrap().to_string()
    }

    #[test]
    fn what_is_missing_is_named() {
        let basic = refused(&AuthTable::default(), &[]);
        insta::assert_snapshot!(basic, @"no credentials: set CSM_LOADER_EMAIL, or email in [auth], to the account's address");
        let table = AuthTable {
            method: Some(AuthMethod::Bearer),
            ..AuthTable::default()
        };
        let bearer = refused(&table, &[]);
        insta::assert_snapshot!(bearer, @"no credentials: set CSM_LOADER_ACCESS_TOKEN, or name a private file with access_token_file in [auth]");
        for method in [AuthMethod::OAuth, AuthMethod::ClientCredentials] {
            let table = AuthTable {
                method: Some(method),
                ..AuthTable::default()
            };
            let id = refused(&table, &[]);
            let secret = refused(&table, &[("CSM_LOADER_CLIENT_ID", "app")]);
            insta::allow_duplicates! {
                insta::assert_snapshot!(id, @"no credentials: set CSM_LOADER_CLIENT_ID, or client_id in [auth], to the app's client id");
                insta::assert_snapshot!(secret, @"no credentials: set CSM_LOADER_CLIENT_SECRET, or name a private file with client_secret_file in [auth]");
            }
        }
    }

    #[test]
    fn a_secret_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("token"), "s3cret\n").unwrap();
        let table = AuthTable {
            method: Some(AuthMethod::Bearer),
            access_token_file: Some("token".into()),
            ..AuthTable::default()
        };
        let file = folder.path().join("token");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let message = find(&table, folder.path(), |_| None)
            .err()
            .unwrap()
            .to_string();
        let message = message.replace(&folder.path().display().to_string(), "…");
        insta::assert_snapshot!(message, @"…/token is open to other users (mode 644); run: chmod 600 …/token");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let Credentials::Ready(auth) = find(&table, folder.path(), |_| None).unwrap() else {
            panic!("no token")
        };
        assert!(!format!("{auth:?}").contains("s3cret"));
    }
}
