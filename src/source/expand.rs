//! Inputs as typed → the files they stand for, in reading order.

use super::detect;
use super::error::{SourceError, SourceErrorKind, suggestion};
use glob::{MatchOptions, Pattern};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The input that means standard input.
pub(super) const STDIN: &str = "-";

/// The folder name of a null partition value.
const NULL_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// A file to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// As people know it: as typed, or relative to the base folder; `-` for standard input.
    pub(super) name: String,
    /// Where it is; empty for standard input.
    pub(super) path: PathBuf,
    /// Names and values of the `key=value` folders that lead to it.
    pub(super) partitions: Vec<(String, Option<String>)>,
}

impl Found {
    /// Whether it is standard input.
    pub(super) fn is_stdin(&self) -> bool {
        self.path.as_os_str().is_empty()
    }
}

/// The files of all inputs, and every fault: inputs that name nothing, and files named twice.
pub(super) fn expand(inputs: &[String], base: &Path) -> (Vec<Found>, Vec<SourceError>) {
    let mut found = Vec::new();
    let mut faults = Vec::new();
    if inputs.is_empty() {
        faults.push(fault(
            "no input is named",
            "name a file, a glob, a directory, or - for standard input",
        ));
    }
    for input in inputs {
        match expand_one(input, base) {
            Ok(files) => found.extend(files),
            Err(error) => faults.push(error.in_file(input)),
        }
    }
    faults.extend(repeated(&found));
    (found, faults)
}

fn fault(what: impl Into<String>, cure: &str) -> SourceError {
    SourceError::new(SourceErrorKind::NotFound, what, cure)
}

fn expand_one(input: &str, base: &Path) -> Result<Vec<Found>, SourceError> {
    if input == STDIN {
        let stdin = Found {
            name: STDIN.to_owned(),
            path: PathBuf::new(),
            partitions: Vec::new(),
        };
        return Ok(vec![stdin]);
    }
    let path = base.join(input);
    let found = match fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => walk(&path)?
            .into_iter()
            .map(|file| found(&file, &path, base))
            .collect::<Vec<_>>(),
        Ok(_) => {
            return Ok(vec![Found {
                name: input.to_owned(),
                path,
                partitions: Vec::new(),
            }]);
        }
        // a name with brackets may be a file's own; only what does not exist is taken for a pattern
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && input.contains(['*', '?', '[']) =>
        {
            matching(input, base)?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(missing(&path)),
        Err(error) => return Err(unreadable(error)),
    };
    if found.is_empty() {
        let known = "csv, tsv, txt, parquet, pq, arrow, feather, ipc or arrows";
        return Err(fault(
            format!("the directory holds no data file ({known}; also .gz, .zst)"),
            "name its files, or another directory",
        ));
    }
    Ok(in_byte_order(found))
}

fn in_byte_order(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by(|a, b| {
        a.path
            .as_os_str()
            .as_encoded_bytes()
            .cmp(b.path.as_os_str().as_encoded_bytes())
    });
    found
}

/// A file met below `root`, with the partitions that its folders name.
fn found(file: &Path, root: &Path, base: &Path) -> Found {
    let folders = file.strip_prefix(root).ok().and_then(Path::parent);
    let partitions = folders
        .into_iter()
        .flat_map(Path::components)
        .filter_map(|component| {
            let folder = component.as_os_str().to_string_lossy();
            let (key, value) = folder.split_once('=')?;
            let value = (value != NULL_PARTITION).then(|| percent_decoded(value));
            Some((percent_decoded(key), value))
        });
    Found {
        name: file
            .strip_prefix(base)
            .unwrap_or(file)
            .display()
            .to_string(),
        path: file.to_owned(),
        partitions: partitions.collect(),
    }
}

/// The files that match a pattern, and the data files below the directories that do.
fn matching(input: &str, base: &Path) -> Result<Vec<Found>, SourceError> {
    let special =
        |part: &Component<'_>| part.as_os_str().to_string_lossy().contains(['*', '?', '[']);
    let fixed: PathBuf = Path::new(input)
        .components()
        .take_while(|part| !special(part))
        .collect();
    let root = base.join(fixed);
    let base_text = base.to_str().ok_or_else(|| {
        fault(
            "the base folder's name is not UTF-8, so patterns cannot be used",
            "name the files",
        )
    })?;
    let pattern = Path::new(&Pattern::escape(base_text)).join(input);
    let options = MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let paths = glob::glob_with(&pattern.to_string_lossy(), options).map_err(|error| {
        fault(
            "this is not a pattern",
            "correct it: * and ? match, [a-z] is one of, ** any folders",
        )
        .caused_by(error)
    })?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| unreadable(error.into()))?;
        if path.is_dir() {
            // `**` matches folders as well as what is in them; only a last part that names folders asks for all
            if !input.contains("**") {
                files.extend(walk(&path)?);
            }
        } else {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(fault(
            "no file matches",
            "check the pattern and the folder that it starts from",
        ));
    }
    Ok(files.iter().map(|file| found(file, &root, base)).collect())
}

/// The data files in a directory and below, in no order. Hidden ones and those that begin with `_` are left out, as are
/// files without a data file's extension.
fn walk(directory: &Path) -> Result<Vec<PathBuf>, SourceError> {
    fn visit(
        directory: &Path,
        above: &mut Vec<PathBuf>,
        files: &mut Vec<PathBuf>,
    ) -> io::Result<()> {
        let real = fs::canonicalize(directory)?;
        if above.contains(&real) {
            return Err(io::Error::other(format!(
                "the link {} leads back to a folder above it",
                directory.display()
            )));
        }
        above.push(real);
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if matches!(
                entry.file_name().as_encoded_bytes().first(),
                Some(b'.' | b'_')
            ) {
                continue;
            }
            let path = entry.path();
            if fs::metadata(&path)?.is_dir() {
                visit(&path, above, files)?;
            } else if detect::by_name(&path).is_some() {
                files.push(path);
            }
        }
        above.pop();
        Ok(())
    }
    let mut files = Vec::new();
    visit(directory, &mut Vec::new(), &mut files).map_err(unreadable)?;
    Ok(files)
}

fn unreadable(error: io::Error) -> SourceError {
    SourceError::new(
        SourceErrorKind::Io,
        "it cannot be read",
        "check its permissions and links",
    )
    .caused_by(error)
}

fn missing(path: &Path) -> SourceError {
    let typed = path.file_name().unwrap_or_default().to_string_lossy();
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let neighbours: Vec<String> = fs::read_dir(folder.unwrap_or(Path::new(".")))
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    let hint = suggestion(&typed, neighbours.iter().map(String::as_str));
    fault(
        format!("there is no such file{hint}"),
        "check its name and the folder that it starts from",
    )
}

/// The files that stand in the list more than once: their rows would load twice.
fn repeated(found: &[Found]) -> Vec<SourceError> {
    let mut seen: HashMap<PathBuf, &str> = HashMap::new();
    let mut faults = Vec::new();
    for file in found {
        // standard input has no path of its own
        let real = fs::canonicalize(&file.path).unwrap_or_else(|_| file.path.clone());
        if let Some(first) = seen.insert(real, &file.name) {
            let what = if first == file.name {
                "it is named twice; its rows would load twice".to_owned()
            } else {
                format!("it is the same file as {first}; its rows would load twice")
            };
            faults.push(
                SourceError::new(SourceErrorKind::Repeated, what, "name it once")
                    .in_file(&file.name),
            );
        }
    }
    faults
}

/// `%20` → a space. What is no escape, or would not be UTF-8, stays as it is.
fn percent_decoded(text: &str) -> String {
    let hex = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        let escape = match bytes.get(index..index + 3) {
            Some(&[b'%', high, low]) => hex(high).zip(hex(low)),
            _ => None,
        };
        if let Some((high, low)) = escape {
            decoded.push(high << 4 | low);
            index += 3;
        } else {
            decoded.push(byte);
            index += 1;
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these empty files.
    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        folder
    }

    fn names(inputs: &[&str], folder: &tempfile::TempDir) -> Vec<String> {
        let inputs: Vec<_> = inputs.iter().map(ToString::to_string).collect();
        let (found, faults) = expand(&inputs, folder.path());
        assert!(faults.is_empty(), "{faults:?}");
        found.into_iter().map(|file| file.name).collect()
    }

    fn faults(inputs: &[&str], folder: &tempfile::TempDir) -> String {
        let inputs: Vec<_> = inputs.iter().map(ToString::to_string).collect();
        let (_, faults) = expand(&inputs, folder.path());
        faults
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn inputs_stay_in_order_and_what_they_stand_for_is_in_byte_order() {
        let folder = folder(&[
            "b.csv",
            "a.csv",
            "B.csv",
            "x/2.csv",
            "x/10.csv",
            "x-y/1.csv",
            "[1].csv",
        ]);
        assert_eq!(names(&["b.csv", "a.csv"], &folder), ["b.csv", "a.csv"]);
        assert_eq!(names(&["?.csv"], &folder), ["B.csv", "a.csv", "b.csv"]);
        assert_eq!(names(&["[1].csv"], &folder), ["[1].csv"]);
        assert_eq!(
            names(&["x*/*.csv"], &folder),
            ["x-y/1.csv", "x/10.csv", "x/2.csv"]
        );
        assert_eq!(
            names(&["x*"], &folder),
            ["x-y/1.csv", "x/10.csv", "x/2.csv"]
        );
        assert_eq!(names(&["**/1*.csv"], &folder), ["x-y/1.csv", "x/10.csv"]);
        assert_eq!(names(&["-", "a.csv"], &folder), ["-", "a.csv"]);
    }

    #[test]
    fn directories_give_their_data_files_and_nothing_hidden() {
        let folder = folder(&[
            "d/a.csv.gz",
            "d/b.parquet",
            "d/c.xlsx",
            "d/.hidden.csv",
            "d/_SUCCESS.csv",
            "d/_tmp/x.csv",
            "d/e/f.arrow",
            "d/README",
        ]);
        assert_eq!(
            names(&["d"], &folder),
            ["d/a.csv.gz", "d/b.parquet", "d/e/f.arrow"]
        );
    }

    #[test]
    fn folders_of_the_form_key_value_become_partitions() {
        let folder = folder(&[
            "d/region=eu%2Fwest/day=__HIVE_DEFAULT_PARTITION__/a=b.csv",
            "d/c.csv",
        ]);
        let partitions = |input: &str| {
            expand(&[input.to_owned()], folder.path())
                .0
                .into_iter()
                .map(|file| file.partitions)
                .collect::<Vec<_>>()
        };
        let both = vec![
            ("region".to_owned(), Some("eu/west".to_owned())),
            ("day".to_owned(), None),
        ];
        assert_eq!(partitions("d"), [vec![], both.clone()]);
        assert_eq!(partitions("d/*/*/*.csv"), [both]);
        assert_eq!(
            partitions("d/region=eu%2Fwest"),
            [[("day".to_owned(), None)]]
        );
    }

    #[test]
    fn percent_escapes_are_decoded_where_they_are_whole() {
        for (text, decoded) in [
            ("a%20b", "a b"),
            ("%C3%A9", "é"),
            ("50%", "50%"),
            ("%zz", "%zz"),
            ("%FF", "%FF"),
        ] {
            assert_eq!(percent_decoded(text), decoded);
        }
    }

    #[test]
    fn inputs_that_name_nothing_or_the_same_file_twice_are_faults() {
        let folder = folder(&["customers.csv", "d/readme.md", "e/x.csv"]);
        insta::assert_snapshot!(faults(&[], &folder), @"no input is named; name a file, a glob, a directory, or - for standard input");
        insta::assert_snapshot!(faults(&["custmers.csv", "none.bin", "*.pq", "d", "a**", "-", "-"], &folder), @r#"
    custmers.csv: there is no such file, did you mean "customers.csv"?; check its name and the folder that it starts from
    none.bin: there is no such file; check its name and the folder that it starts from
    *.pq: no file matches; check the pattern and the folder that it starts from
    d: the directory holds no data file (csv, tsv, txt, parquet, pq, arrow, feather, ipc or arrows; also .gz, .zst); name its files, or another directory
    a**: this is not a pattern; correct it: * and ? match, [a-z] is one of, ** any folders
    -: it is named twice; its rows would load twice; name it once
    "#);
        insta::assert_snapshot!(faults(&["customers.csv", "./customers.csv", "e", "e/*"], &folder), @r"
        ./customers.csv: it is the same file as customers.csv; its rows would load twice; name it once
        e/x.csv: it is named twice; its rows would load twice; name it once
        ");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_unless_they_lead_in_a_circle() {
        let folder = folder(&["d/a.csv", "e/b.csv"]);
        std::os::unix::fs::symlink(folder.path().join("e"), folder.path().join("d/e")).unwrap();
        assert_eq!(names(&["d"], &folder), ["d/a.csv", "d/e/b.csv"]);
        std::os::unix::fs::symlink(folder.path().join("d"), folder.path().join("e/d")).unwrap();
        assert_eq!(
            faults(&["d"], &folder),
            "d: it cannot be read; check its permissions and links"
        );
    }
}
