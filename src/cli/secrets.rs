//! Where credentials come from: the environment, or private files. Never the job file itself.

use super::exit::{Exit, Failure};
use super::job::{AuthMethod, AuthTable};
use crate::api::auth::Auth;
use secrecy::SecretString;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Finds the credentials of a job. `base` is the folder that the job's paths start from; `var` looks a variable up.
///
/// # Errors
/// When one is missing, or a file is open to others.
pub(super) fn find(
    table: &AuthTable,
    base: &Path,
    var: impl Fn(&str) -> Option<String>,
) -> Result<Auth, Failure> {
    let secret = |name: &str, file: &Option<PathBuf>, key: &str| match (var(name), file) {
        (Some(value), _) => Ok(SecretString::from(value)),
        (None, Some(path)) => read_private(&base.join(path)),
        (None, None) => {
            let message =
                format!("no credentials: set {name}, or name a private file with {key} in [auth]");
            Err(Failure::new(Exit::Input, message))
        }
    };
    match table.method.unwrap_or_default() {
        AuthMethod::Basic => {
            let email = var("CSM_LOADER_EMAIL").or_else(|| table.email.clone()).ok_or_else(|| {
                let message = "no credentials: set CSM_LOADER_EMAIL, or email in [auth], to the account's address";
                Failure::new(Exit::Input, message)
            })?;
            let token = secret(
                "CSM_LOADER_API_TOKEN",
                &table.api_token_file,
                "api_token_file",
            )?;
            Ok(Auth::Basic { email, token })
        }
        AuthMethod::Bearer => {
            let token = secret(
                "CSM_LOADER_ACCESS_TOKEN",
                &table.access_token_file,
                "access_token_file",
            )?;
            Ok(Auth::Bearer { token })
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

    #[test]
    fn what_is_missing_is_named() {
        let basic = find(&AuthTable::default(), Path::new("."), |_| None).unwrap_err();
        insta::assert_snapshot!(basic, @"no credentials: set CSM_LOADER_EMAIL, or email in [auth], to the account's address");
        let table = AuthTable {
            method: Some(AuthMethod::Bearer),
            ..AuthTable::default()
        };
        let bearer = find(&table, Path::new("."), |_| None).unwrap_err();
        insta::assert_snapshot!(bearer, @"no credentials: set CSM_LOADER_ACCESS_TOKEN, or name a private file with access_token_file in [auth]");
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
            .unwrap_err()
            .to_string();
        let message = message.replace(&folder.path().display().to_string(), "…");
        insta::assert_snapshot!(message, @"…/token is open to other users (mode 644); run: chmod 600 …/token");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let auth = find(&table, folder.path(), |_| None).unwrap();
        assert!(!format!("{auth:?}").contains("s3cret"));
    }
}
