//! Which format a file is in: what was asked for, else its content, else its name.

use super::csv::Packing;
use super::error::{SourceError, SourceErrorKind};
use super::spec::Format;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Extensions of data files, without those of compression.
const EXTENSIONS: [(&str, Format); 9] = [
    ("csv", Format::Csv),
    ("tsv", Format::Csv),
    ("txt", Format::Csv),
    ("parquet", Format::Parquet),
    ("pq", Format::Parquet),
    ("arrow", Format::Arrow),
    ("feather", Format::Arrow),
    ("ipc", Format::Arrow),
    ("arrows", Format::Arrow),
];

/// How to read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Container {
    /// CSV, packed like this.
    Csv(Packing),
    /// Parquet.
    Parquet,
    /// Arrow IPC with a footer.
    ArrowFile,
    /// Arrow IPC, one message after the other.
    ArrowStream,
}

impl Container {
    /// The format people know it by.
    pub(super) fn format(self) -> Format {
        match self {
            Self::Csv(_) => Format::Csv,
            Self::Parquet => Format::Parquet,
            Self::ArrowFile | Self::ArrowStream => Format::Arrow,
        }
    }
}

/// The format that a file's name promises; `.gz` and `.zst` are looked through.
pub(super) fn by_name(path: &Path) -> Option<Format> {
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let name = [".gz", ".zst"]
        .iter()
        .find_map(|packed| name.strip_suffix(packed))
        .unwrap_or(&name);
    let (_, extension) = name.rsplit_once('.')?;
    EXTENSIONS
        .iter()
        .find(|(known, _)| *known == extension)
        .map(|(_, format)| *format)
}

/// What a file's first and last bytes show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Empty,
    Parquet { whole: bool },
    ArrowFile,
    ArrowStream,
    Feather1,
    Gzip,
    Zstd,
    Zip,
    Other,
}

/// Decides how to read a file. `asked` wins over content, content over name; but a file whose name or whose asker says
/// Parquet or Arrow must be that. The fault lacks the file's name.
pub(super) fn container(
    file: &mut File,
    path: &Path,
    asked: Option<Format>,
) -> Result<Container, SourceError> {
    let content = content(file).map_err(|error| {
        SourceError::new(
            SourceErrorKind::Io,
            "the file cannot be read",
            "check its permissions",
        )
        .caused_by(error)
    })?;
    let named = by_name(path);
    let text = || match content {
        Content::Gzip => Container::Csv(Packing::Gzip),
        Content::Zstd => Container::Csv(Packing::Zstd),
        _ => Container::Csv(Packing::Plain),
    };
    match (asked.or(named), content) {
        (Some(Format::Parquet), Content::Parquet { .. }) => Ok(Container::Parquet),
        (Some(Format::Arrow), Content::ArrowFile) => Ok(Container::ArrowFile),
        (Some(Format::Arrow), Content::ArrowStream) => Ok(Container::ArrowStream),
        (Some(wanted @ (Format::Parquet | Format::Arrow)), _) => Err(not(wanted, content)),
        (Some(Format::Csv), _) if asked.is_some() => Ok(text()),
        // a CSV file's first column may be called PAR1; the last bytes tell
        (wanted, Content::Parquet { whole }) if whole || wanted.is_none() => Ok(Container::Parquet),
        (_, Content::ArrowFile) => Ok(Container::ArrowFile),
        (_, Content::ArrowStream) => Ok(Container::ArrowStream),
        (_, Content::Feather1) => Err(not(Format::Arrow, content)),
        (_, Content::Zip) => Err(not(Format::Csv, content)),
        (
            _,
            Content::Empty
            | Content::Gzip
            | Content::Zstd
            | Content::Other
            | Content::Parquet { .. },
        ) => Ok(text()),
    }
}

fn not(wanted: Format, content: Content) -> SourceError {
    let wanted = match wanted {
        Format::Csv => "a CSV file",
        Format::Parquet => "a Parquet file",
        Format::Arrow => "an Arrow IPC file or stream",
    };
    let (seems, cure) = match content {
        Content::Empty => (
            "it is empty",
            "export it again, or take it out of the inputs",
        ),
        Content::Parquet { .. } => ("it is Parquet", "set format = \"parquet\", or rename it"),
        Content::ArrowFile | Content::ArrowStream => {
            ("it is Arrow IPC", "set format = \"arrow\", or rename it")
        }
        Content::Feather1 => ("it is Feather version 1", "write it as Feather version 2"),
        Content::Gzip => ("it is compressed with gzip", "unpack it first"),
        Content::Zstd => ("it is compressed with zstd", "unpack it first"),
        Content::Zip => (
            "it is a ZIP archive, as Excel workbooks are",
            "unpack it, or save the workbook as CSV UTF-8",
        ),
        Content::Other => (
            "it does not begin like one",
            "export it again, or name its format (--format)",
        ),
    };
    SourceError::new(
        SourceErrorKind::Format,
        format!("this is not {wanted}: {seems}"),
        cure,
    )
}

fn content(file: &mut File) -> io::Result<Content> {
    let mut head = Vec::with_capacity(8);
    file.rewind()?;
    file.by_ref().take(8).read_to_end(&mut head)?;
    let content = match head.as_slice() {
        [] => Content::Empty,
        [b'P', b'A', b'R', b'1', ..] => {
            let mut tail = [0; 4];
            file.seek(SeekFrom::End(-4))?;
            file.read_exact(&mut tail)?;
            Content::Parquet {
                whole: &tail == b"PAR1",
            }
        }
        [b'A', b'R', b'R', b'O', b'W', b'1', ..] => Content::ArrowFile,
        [0xFF, 0xFF, 0xFF, 0xFF, ..] => Content::ArrowStream,
        [b'F', b'E', b'A', b'1', ..] => Content::Feather1,
        [0x1F, 0x8B, ..] => Content::Gzip,
        [0x28, 0xB5, 0x2F, 0xFD, ..] => Content::Zstd,
        [b'P', b'K', 3, 4, ..] => Content::Zip,
        _ => Content::Other,
    };
    file.rewind()?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workbook_is_told_from_text() {
        let error = decide("customers.xlsx", b"PK\x03\x04rest", None).unwrap_err();
        insta::assert_snapshot!(error, @"this is not a CSV file: it is a ZIP archive, as Excel workbooks are; unpack it, or save the workbook as CSV UTF-8");
    }

    fn decide(name: &str, bytes: &[u8], asked: Option<Format>) -> Result<Container, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        container(&mut File::open(&path).unwrap(), &path, asked).map_err(|error| error.to_string())
    }

    #[test]
    fn what_was_asked_for_wins_over_content_and_content_over_names() {
        let plain = Ok(Container::Csv(Packing::Plain));
        for (name, bytes, asked, found) in [
            ("a.csv", &b"a,b\n"[..], None, plain.clone()),
            ("a", b"a,b\n", None, plain.clone()),
            ("a.csv", b"", None, plain.clone()),
            (
                "a.csv",
                b"\x1f\x8b\x08",
                None,
                Ok(Container::Csv(Packing::Gzip)),
            ),
            (
                "a.csv.gz",
                b"\x28\xb5\x2f\xfd",
                None,
                Ok(Container::Csv(Packing::Zstd)),
            ),
            ("a.csv.gz", b"a,b", None, plain.clone()),
            ("a.pq", b"PAR1....PAR1", None, Ok(Container::Parquet)),
            ("a.csv", b"PAR1....PAR1", None, Ok(Container::Parquet)),
            ("a.csv", b"PAR1,name\n1,2\n", None, plain.clone()),
            ("a.csv", b"PAR1....PAR1", Some(Format::Csv), plain.clone()),
            ("a", b"ARROW1\0\0", None, Ok(Container::ArrowFile)),
            (
                "a.arrows",
                b"\xff\xff\xff\xff\x10\0\0\0",
                None,
                Ok(Container::ArrowStream),
            ),
            ("a.feather", b"ARROW1\0\0", None, Ok(Container::ArrowFile)),
        ] {
            assert_eq!(
                decide(name, bytes, asked),
                found,
                "{name} {bytes:?} {asked:?}"
            );
        }
    }

    #[test]
    fn a_file_that_is_not_what_its_name_says_is_refused_in_words() {
        insta::assert_snapshot!(decide("a.parquet", b"a,b\n1,2\n", None).unwrap_err(), @"this is not a Parquet file: it does not begin like one; export it again, or name its format (--format)");
        insta::assert_snapshot!(decide("a.parquet", b"", None).unwrap_err(), @"this is not a Parquet file: it is empty; export it again, or take it out of the inputs");
        insta::assert_snapshot!(decide("a.parquet", b"ARROW1\0\0", None).unwrap_err(), @r#"this is not a Parquet file: it is Arrow IPC; set format = "arrow", or rename it"#);
        insta::assert_snapshot!(decide("a.arrow", b"PAR1PAR1", None).unwrap_err(), @r#"this is not an Arrow IPC file or stream: it is Parquet; set format = "parquet", or rename it"#);
        insta::assert_snapshot!(decide("a.arrow.gz", b"\x1f\x8b\x08", None).unwrap_err(), @"this is not an Arrow IPC file or stream: it is compressed with gzip; unpack it first");
        insta::assert_snapshot!(decide("a.feather", b"FEA1....", None).unwrap_err(), @"this is not an Arrow IPC file or stream: it is Feather version 1; write it as Feather version 2");
        insta::assert_snapshot!(decide("a.csv", b"a,b", Some(Format::Arrow)).unwrap_err(), @"this is not an Arrow IPC file or stream: it does not begin like one; export it again, or name its format (--format)");
    }

    #[test]
    fn names_promise_formats_in_any_case_and_packed() {
        for (name, format) in [
            ("a.csv", Some(Format::Csv)),
            ("A.TSV.GZ", Some(Format::Csv)),
            ("a.txt.zst", Some(Format::Csv)),
            ("a.b.parquet", Some(Format::Parquet)),
            ("a.arrows", Some(Format::Arrow)),
            ("a.gz", None),
            ("a.xlsx", None),
            ("csv", None),
        ] {
            assert_eq!(by_name(Path::new(name)), format, "{name}");
        }
    }
}
