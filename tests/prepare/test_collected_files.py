"""Every odd FASTQ, FASTA and gzip file that other projects collected: read right, or refused in clear words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from isthmus.backbone.lake import Lake
from isthmus.core.errors import BadRecord, InvalidInput

# path: (records, bases, words of the warning, if any)
READ = {
    "malformed/cutadapt/454.fa": (59, 6841, ""),
    "malformed/cutadapt/adapter-empty-name.fasta": (2, 42, ""),
    "malformed/cutadapt/casava.fastq": (2, 92, ""),
    "malformed/cutadapt/illumina.fastq.gz": (100, 10100, ""),
    "malformed/cutadapt/illumina5.fastq": (5, 505, ""),
    "malformed/cutadapt/interleaved.fastq": (10, 292, "repeat the name"),
    "malformed/cutadapt/issue46.fasta": (1, 5, ""),
    "malformed/cutadapt/lengths.fa": (11, 253, ""),
    "malformed/cutadapt/maxn.fasta": (6, 20, ""),
    "malformed/cutadapt/multi.fasta": (10, 394, ""),
    "malformed/cutadapt/paired.1.fastq": (5, 147, ""),
    "malformed/cutadapt/paired.2.fastq": (5, 145, ""),
    "malformed/cutadapt/underscore_fastq.gz": (3, 102, ""),
    "malformed/cutadapt/wildcardN.fa": (3, 30, ""),
    "malformed/derived/all_N.fastq": (10, 510, ""),
    "malformed/derived/bgzf_without_eof_block.fastq.gz": (200, 10200, "end marker"),
    "malformed/derived/blank_line_between.fastq": (10, 510, ""),
    "malformed/derived/blank_lines_at_end.fastq": (10, 510, ""),
    "malformed/derived/crlf.fastq": (10, 510, ""),
    "malformed/derived/duplicate_names.fastq": (3, 153, "repeat the name"),
    "malformed/derived/empty_read.fastq": (2, 4, ""),
    "malformed/derived/fasta_header_only.fna": (1, 0, ""),
    "malformed/derived/fasta_iupac_gaps_star.fna": (1, 35, ""),
    "malformed/derived/fasta_lowercase_softmask.fna": (1, 5386, ""),
    "malformed/derived/fasta_space_after_gt.fna": (1, 5386, ""),
    "malformed/derived/gzip_trailing_zeros.fastq.gz": (200, 10200, ""),
    "malformed/derived/gzip_two_members.fastq.gz": (200, 10200, ""),
    "malformed/derived/lowercase.fastq": (10, 510, ""),
    "malformed/derived/mixed_line_ends.fastq": (10, 510, ""),
    "malformed/derived/ok_bgzf.fastq.gz": (200, 10200, ""),
    "malformed/derived/pair_shuffled_R2.fastq": (10, 760, ""),
    "malformed/derived/pair_unequal_R1.fastq": (10, 760, ""),
    "malformed/derived/pair_unequal_R2.fastq": (9, 684, ""),
    "malformed/derived/phred64_named_fastq.fastq": (10, 510, "Phred+64"),
    "malformed/derived/plain_named_gz.fastq.gz": (200, 10200, ""),
    "malformed/derived/quality_starts_with_at.fastq": (10, 510, ""),
    "malformed/derived/quality_starts_with_plus.fastq": (10, 510, ""),
    "malformed/derived/utf8_bom.fastq": (10, 510, "byte order mark"),
    "malformed/dnaio/dos.fastq": (3, 102, ""),
    "malformed/dnaio/interleaved.fastq": (4, 70, ""),
    "malformed/dnaio/missingextension": (3, 102, ""),
    "malformed/fasta/barrnap/empty.fa": (1, 0, ""),
    "malformed/fasta/barrnap/empty.fna": (1, 0, ""),
    "malformed/fasta/barrnap/nohits.fa": (1, 630, ""),
    "malformed/fasta/barrnap/nohits.fna": (1, 630, ""),
    "malformed/fasta/formatspecimens/HUMBETGLOA.fasta": (1, 3002, ""),
    "malformed/fasta/formatspecimens/badfasta.fasta": (3, 991, ""),
    "malformed/fasta/formatspecimens/bug2901.fasta": (4, 212, ""),
    "malformed/fasta/formatspecimens/dnaE-bsub.fasta": (1, 2001, ""),
    "malformed/fasta/formatspecimens/elderberry.fasta": (1, 2050, ""),
    "malformed/fasta/formatspecimens/example1.txt": (5, 4484, "repeat the name"),
    "malformed/fasta/formatspecimens/example2.txt": (1, 1131, ""),
    "malformed/fasta/formatspecimens/f002.fasta": (3, 1517, ""),
    "malformed/fasta/formatspecimens/forward_primer.fasta": (1, 20, ""),
    "malformed/fasta/formatspecimens/lupine.fasta": (1, 655, ""),
    "malformed/fasta/formatspecimens/phlox.fasta": (1, 623, ""),
    "malformed/fasta/formatspecimens/spaced_fasta.fasta": (37, 12637, ""),
    "malformed/fasta/formatspecimens/sweetpea.fasta": (1, 309, ""),
    "malformed/fasta/formatspecimens/wisteria.fasta": (1, 2551, ""),
    "malformed/fasta/sourmash/short.bad.fa": (1, 1012, ""),
    "malformed/fastq/biopython/example.fasta": (3, 75, ""),
    "malformed/fastq/biopython/example.fastq.bgz": (3, 75, ""),
    "malformed/fastq/biopython/example.fastq.gz": (3, 75, ""),
    "malformed/fastq/biotite/random.fastq": (20, 2643, ""),
    "malformed/fastq/formatspecimens/example.fastq": (3, 75, ""),
    "malformed/fastq/formatspecimens/illumina_full_range_as_illumina.fastq": (2, 126, "Phred+64"),
    "malformed/fastq/formatspecimens/illumina_full_range_as_sanger.fastq": (2, 126, ""),
    "malformed/fastq/formatspecimens/illumina_full_range_as_solexa.fastq": (2, 126, "Phred+64"),
    "malformed/fastq/formatspecimens/illumina_full_range_original_illumina.fastq": (2, 126, "Phred+64"),
    "malformed/fastq/formatspecimens/longreads_as_solexa.fastq": (10, 3665, "Phred+64"),
    "malformed/fastq/formatspecimens/longreads_original_sanger.fastq": (10, 3665, ""),
    "malformed/fastq/formatspecimens/misc_dna_as_illumina.fastq": (4, 153, "Phred+64"),
    "malformed/fastq/formatspecimens/misc_dna_as_sanger.fastq": (4, 153, ""),
    "malformed/fastq/formatspecimens/misc_dna_as_solexa.fastq": (4, 153, "Phred+64"),
    "malformed/fastq/formatspecimens/misc_dna_original_sanger.fastq": (4, 153, ""),
    "malformed/fastq/formatspecimens/misc_rna_as_illumina.fastq": (4, 153, "Phred+64"),
    "malformed/fastq/formatspecimens/misc_rna_as_sanger.fastq": (4, 153, ""),
    "malformed/fastq/formatspecimens/misc_rna_as_solexa.fastq": (4, 153, "Phred+64"),
    "malformed/fastq/formatspecimens/sanger_full_range_as_sanger.fastq": (2, 188, ""),
    "malformed/fastq/formatspecimens/sanger_full_range_as_solexa.fastq": (2, 188, "Phred+64"),
    "malformed/fastq/formatspecimens/solexa_example.fastq": (5, 125, "Phred+64"),
    "malformed/fastq/formatspecimens/solexa_faked.fastq": (1, 46, "Phred+64"),
    "malformed/fastq/formatspecimens/solexa_full_range_as_illumina.fastq": (2, 136, "Phred+64"),
    "malformed/fastq/formatspecimens/solexa_full_range_as_sanger.fastq": (2, 136, ""),
    "malformed/fastq/formatspecimens/solexa_full_range_as_solexa.fastq": (2, 136, "Phred+64"),
    "malformed/fastq/formatspecimens/wrapping_as_illumina.fastq": (3, 410, "Phred+64"),
    "malformed/fastq/formatspecimens/wrapping_as_sanger.fastq": (3, 410, ""),
    "malformed/fastq/formatspecimens/wrapping_as_solexa.fastq": (3, 410, "Phred+64"),
    "malformed/fastq/formatspecimens/zero_length.fastq": (5, 280, ""),
    "malformed/fastq/unicycler/test_misc.fastq": (3, 375, ""),
    "reads/bowtie2/longreads.fq.gz": (6000, 2056551, ""),
    "reads/bowtie2/reads_1.fq.gz": (10000, 1088399, ""),
    "reads/bowtie2/reads_2.fq.gz": (10000, 1089986, ""),
    "reads/metabinR/reads.metagenome.fasta.gz": (26664, 3999600, ""),
    "reads/nanotest/ecoli_ultralong_ONT_371.fa.gz": (371, 8611871, ""),
    "reads/nanotest/reads-mixed-timestamp.fastq": (2, 22070, ""),
    "reads/pyrodigal/SRR492066_metagenome_contig.fna.gz": (1, 79939, ""),
    "reads/racon/lambda_long_reads_MULTILINE.fastq.gz": (236, 1674628, ""),
    "reads/racon/lambda_reference.fasta.gz": (1, 48502, ""),
    "reads/trimgalore/4_seqs_with_Ns.fastq.gz": (4, 604, "repeat the name"),
    "reads/trimgalore/BS-seq_10K_I1.fastq.gz": (10000, 160000, "are copies"),
    "reads/trimgalore/BS-seq_10K_R1.fastq.gz": (10000, 650000, ""),
    "reads/trimgalore/BS-seq_10K_R2.fastq.gz": (10000, 650000, ""),
    "reads/trimgalore/PolyA.fastq.gz": (12, 1800, ""),
    "reads/trimgalore/SRR24766921_RRBS_R1.fastq.gz": (10000, 510000, ""),
    "reads/trimgalore/SRR24766921_RRBS_R2.fastq.gz": (10000, 510000, ""),
    "reads/trimgalore/clock_10K_R1.fastq.gz": (10000, 760000, ""),
    "reads/trimgalore/clock_10K_R2.fastq.gz": (10000, 760000, ""),
    "reads/trimgalore/illumina_10K.fastq.gz": (10000, 1500000, ""),
    "reads/trimgalore/nextera_100K.fastq.gz": (100000, 5100000, ""),
    "reads/trimgalore/smallRNA_100K.fastq.gz": (100000, 5100000, "are copies"),
    "reads/unicycler/long_reads_low_depth.fastq.gz": (30, 261649, ""),
    "reads/unicycler/reference.fasta.gz": (3, 229880, ""),
    "reads/unicycler/short_reads_1.fastq.gz": (50200, 6275000, ""),
    "reads/unicycler/short_reads_2.fastq.gz": (50200, 6275000, ""),
}

# path: (error, words it must say, record, line)
REFUSED = {
    "malformed/cutadapt/empty.fasta": (InvalidInput, "empty file", None, None),
    "malformed/cutadapt/format-error.fastq": (BadRecord, "letters and", 1, 4),
    "malformed/cutadapt/lowqual.fastq": (BadRecord, "'E' in the sequence", 1, 2),
    "malformed/cutadapt/multiblock.fastq.bz2": (InvalidInput, "bzip2", None, None),
    "malformed/cutadapt/onlycomment.fasta": (InvalidInput, "only blank lines or comments", None, None),
    "malformed/cutadapt/s_1_sequence.txt.gz": (BadRecord, "'E' in the sequence", 1, 2),
    "malformed/cutadapt/simple.fasta": (BadRecord, "as in proteins", 1, 4),
    "malformed/cutadapt/small.bam": (InvalidInput, "a BAM file", None, None),
    "malformed/cutadapt/small.fastq.bz2": (InvalidInput, "bzip2", None, None),
    "malformed/cutadapt/small.fastq.xz": (InvalidInput, "an xz file", None, None),
    "malformed/cutadapt/withplus.fastq": (BadRecord, "names another read", 1, 3),
    "malformed/derived/cr_only.fastq": (BadRecord, "carriage returns alone", 1, 1),
    "malformed/derived/fasta_binary.fna": (InvalidInput, "zip archive", None, None),
    "malformed/derived/fasta_nul_bytes.fna": (BadRecord, "byte 0x00", 1, 6),
    "malformed/derived/gzip_crc_corrupt.fastq.gz": (InvalidInput, "damaged gzip data", None, None),
    "malformed/derived/gzip_payload_corrupt.fastq.gz": (InvalidInput, "damaged gzip data", None, None),
    "malformed/derived/gzip_trailing_garbage.fastq.gz": (InvalidInput, "behind the last gzip member", None, None),
    "malformed/derived/truncated_gzip_at_trailer.fastq.gz": (InvalidInput, "ends early", None, None),
    "malformed/derived/truncated_gzip_midstream.fastq.gz": (InvalidInput, "ends early", None, None),
    "malformed/derived/utf16.fastq": (InvalidInput, "UTF-16", None, None),
    "malformed/derived/zero_bytes.fastq.gz": (InvalidInput, "empty file", None, None),
    "malformed/dnaio/missing_quals.bam": (InvalidInput, "a BAM file", None, None),
    "malformed/dnaio/simple.fasta.bz2": (InvalidInput, "bzip2", None, None),
    "malformed/dnaio/simple.fasta.xz": (InvalidInput, "an xz file", None, None),
    "malformed/dnaio/simple.fastq": (BadRecord, "'E' in the sequence", 1, 2),
    "malformed/dnaio/simple.fastq.gz": (BadRecord, "'E' in the sequence", 1, 2),
    "malformed/dnaio/simple.unaligned.bam": (InvalidInput, "a BAM file", None, None),
    "malformed/dnaio/with_comment.fasta": (BadRecord, "as in proteins", 1, 4),
    "malformed/fasta/barrnap/null.fna": (InvalidInput, "empty file", None, None),
    "malformed/fasta/barrnap/protein.fna": (BadRecord, "as in proteins", 1, 2),
    "malformed/fasta/biopython/f003.fa": (BadRecord, "as in proteins", 1, 2),
    "malformed/fasta/formatspecimens/EFTU_BACSU.fasta": (BadRecord, "as in proteins", 1, 2),
    "malformed/fasta/formatspecimens/P02456.fasta": (BadRecord, "as in proteins", 1, 2),
    "malformed/fasta/formatspecimens/alnfile.fasta": (BadRecord, "as in proteins", 1, 2),
    "malformed/fasta/formatspecimens/aster.fasta": (BadRecord, "as in proteins", 1, 2),
    "malformed/fasta/formatspecimens/cysprot1.fasta": (BadRecord, "as in proteins", 1, 2),
    "malformed/fasta/formatspecimens/cysprot1a.fasta": (BadRecord, "as in proteins", 1, 2),
    "malformed/fasta/formatspecimens/fa01.fasta": (BadRecord, "as in proteins", 1, 2),
    "malformed/fasta/formatspecimens/multi_2.fasta": (BadRecord, "as in proteins", 1, 2),
    "malformed/fasta/formatspecimens/rose.fasta": (BadRecord, "as in proteins", 1, 2),
    "malformed/fasta/formatspecimens/rosemary.fasta": (BadRecord, "as in proteins", 1, 2),
    "malformed/fasta/formatspecimens/testaln2.fasta": (BadRecord, "as in proteins", 1, 2),
    "malformed/fastq/biopython/example.qual": (BadRecord, "as in colour-space reads", 1, 2),
    "malformed/fastq/formatspecimens/error_double_qual.fastq": (BadRecord, "a line that begins with", 4, 13),
    "malformed/fastq/formatspecimens/error_double_seq.fastq": (BadRecord, "the next record's '@' line", 4, 15),
    "malformed/fastq/formatspecimens/error_long_qual.fastq": (BadRecord, "letters and", 4, 16),
    "malformed/fastq/formatspecimens/error_no_qual.fastq": (BadRecord, "letters and", 1, 4),
    "malformed/fastq/formatspecimens/error_qual_del.fastq": (BadRecord, "among the qualities", 4, 16),
    "malformed/fastq/formatspecimens/error_qual_escape.fastq": (BadRecord, "among the qualities", 5, 20),
    "malformed/fastq/formatspecimens/error_qual_space.fastq": (BadRecord, "among the qualities", 4, 16),
    "malformed/fastq/formatspecimens/error_qual_tab.fastq": (BadRecord, "among the qualities", 5, 20),
    "malformed/fastq/formatspecimens/error_qual_unit_sep.fastq": (BadRecord, "among the qualities", 3, 12),
    "malformed/fastq/formatspecimens/error_qual_vtab.fastq": (BadRecord, "among the qualities", 1, 4),
    "malformed/fastq/formatspecimens/error_short_qual.fastq": (BadRecord, "letters and", 3, 12),
    "malformed/fastq/formatspecimens/error_trunc_at_plus.fastq": (BadRecord, "end of the file within a record", 5, 20),
    "malformed/fastq/formatspecimens/error_trunc_at_qual.fastq": (BadRecord, "end of the file within a record", 5, 20),
    "malformed/fastq/formatspecimens/error_trunc_at_seq.fastq": (BadRecord, "end of the file within a record", 5, 19),
    "malformed/fastq/formatspecimens/error_trunc_in_qual.fastq": (BadRecord, "letters and", 5, 20),
    "malformed/fastq/formatspecimens/error_trunc_in_title.fastq": (BadRecord, "end of the file within a record", 5, 18),
    "malformed/fastq/unicycler/test_bad_reads_2.fastq": (BadRecord, "a line that begins with", 2, 5),
    "malformed/gzip/1B.bgz": (BadRecord, "a FASTQ file ('@' first)", None, 1),
    "malformed/gzip/1B.gz": (BadRecord, "a FASTQ file ('@' first)", None, 1),
    "malformed/gzip/base64-32KiB.bgz": (BadRecord, "a FASTQ file ('@' first)", None, 1),
    "malformed/gzip/base64-32KiB.bz2": (InvalidInput, "bzip2", None, None),
    "malformed/gzip/base64-32KiB.gz": (BadRecord, "a FASTQ file ('@' first)", None, 1),
    "malformed/gzip/base64-32KiB.migz": (BadRecord, "a FASTQ file ('@' first)", None, 1),
    "malformed/gzip/base64-32KiB.pigz": (BadRecord, "a FASTQ file ('@' first)", None, 1),
    "malformed/gzip/empty.bgz": (InvalidInput, "a gzip file of nothing", None, None),
    "malformed/gzip/empty.gz": (InvalidInput, "a gzip file of nothing", None, None),
    "malformed/gzip/random.gz": (BadRecord, "binary data", None, 1),
    "malformed/gzip/zeros.bgz": (BadRecord, "binary data", None, 1),
    "malformed/gzip/zeros.gz": (BadRecord, "binary data", None, 1),
    "reads/metabinR/CAMISIM_config.ini": (BadRecord, "a FASTQ file ('@' first)", None, 1),
    "reads/metabinR/distribution_0.txt": (BadRecord, "a FASTQ file ('@' first)", None, 1),
    "reads/metabinR/genome_to_id.tsv": (BadRecord, "a FASTQ file ('@' first)", None, 1),
    "reads/metabinR/reads_mapping.tsv.gz": (BadRecord, "a FASTQ file ('@' first)", None, 1),
    "reads/trimgalore/colorspace_file.fastq": (BadRecord, "as in colour-space reads", 1, 2),
    "reads/trimgalore/empty_file.fastq": (InvalidInput, "empty file", None, None),
}

FOLDERS = ("cutadapt", "derived", "dnaio", "fasta", "fastq", "gzip")
NOT_READS = {".pdb", ".cif"}


@pytest.mark.parametrize("name", READ)
def test_file_is_read_whole(name: str, real_data: Path, lake: Lake, embed: Any) -> None:
    """Records and bases are those that other readers find, and what is odd is said in a warning."""
    records, bases, warning = READ[name]

    ref = embed(real_data / name)

    facts = lake.read(ref).commit.facts
    assert (facts["records_in"], facts["bases_in"], facts["records_out"]) == (records, bases, records)
    assert not warning or any(warning in text for text in facts["warnings"])
    assert warning or not facts["warnings"]


@pytest.mark.parametrize("name", REFUSED)
def test_file_is_refused_in_clear_words(name: str, real_data: Path, lake: Lake, embed: Any) -> None:
    """The error names the file, what was found and where, and what to do; the lake stays empty."""
    kind, words, record, line = REFUSED[name]

    with pytest.raises(kind) as caught:
        embed(real_data / name)

    message = str(caught.value)
    assert str(real_data / name) in message
    assert words in message
    assert "expected" in message
    assert message.count(";") >= 1  # what to do comes last
    if kind is BadRecord:
        assert (caught.value.record, caught.value.line) == (record, line)
    assert lake.names() == []


def test_no_file_is_left_out(real_data: Path) -> None:
    """The two tables name every collected file but those of structures."""
    found = {
        path.relative_to(real_data).as_posix()
        for folder in FOLDERS
        for path in (real_data / "malformed" / folder).rglob("*")
        if path.is_file() and path.suffix not in NOT_READS
    }

    assert found <= READ.keys() | REFUSED.keys()
