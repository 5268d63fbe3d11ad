using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using Rcmp.Regions;

namespace Rcmp.Tests.Regions;

/// <summary>A region with damaged bytes is refused with the reason, or repaired from its rows; nothing crashes, nothing runs for ever.</summary>
public sealed class RegionDamageTests
{
    private const int Seed = 20261123;

    [Fact]
    public void ABitFlippedInAnyByteOfTheSuperblockIsRefusedByWhoeverOpensTheRegion()
    {
        using var rack = new DamagedRack();
        var random = new Random(Seed);
        for (var offset = 0; offset < RegionLayout.SuperblockBytes; offset++)
        {
            var mask = (byte)(1 << random.Next(8));
            rack.Fixture.Flip(offset, mask);
            // All four read the superblock by the same code: each byte by one of them, in turn, and every byte by the check.
            Assert.NotNull(Bounded.Refusal($"superblock +{offset} ^{mask:x2}", () => rack.Open(offset % 3)));
            Assert.NotEmpty(RegionInspector.Check(rack.Fixture.Path).Findings);
            rack.Fixture.Flip(offset, mask);
        }

        rack.Start();
    }

    /// <summary>What a checksum does not catch: somebody who computes it anew, or a wrong program.</summary>
    [Fact]
    public void ASuperblockOfWildNumbersUnderAValidChecksumIsRefusedOrServes()
    {
        using var rack = new DamagedRack();
        var random = new Random(Seed);
        var good = rack.Fixture.Read(0, RegionLayout.SuperblockBytes);
        var refused = 0;
        for (var round = 0; round < 400; round++)
        {
            var block = (byte[])good.Clone();
            for (var changes = random.Next(1, 4); changes > 0; changes--) Distort(block, random);
            BinaryPrimitives.WriteUInt64LittleEndian(block.AsSpan(^8), XxHash3.HashToUInt64(block.AsSpan(..^8)));
            rack.Fixture.Write(0, block);
            for (var role = 0; role < 3; role++)
            {
                if (Bounded.Refusal($"wild superblock {round} as {role}", () => rack.Open(role)) is not null) refused++;
            }

            Bounded.Refusal($"check of wild superblock {round}", () => RegionInspector.Check(rack.Fixture.Path));
            Bounded.Refusal($"start on wild superblock {round}", rack.Start);
            rack.Restore();
        }

        Assert.True(refused > 600, $"only {refused} of 1200 were refused");
    }

    [Fact]
    public void ARegionCutOffAnywhereIsRefused()
    {
        using var rack = new DamagedRack();
        var random = new Random(Seed);
        long[] lengths =
        [
            0, 1, RegionLayout.SuperblockBytes - 1, RegionLayout.SuperblockBytes, RegionLayout.ZoneAlignment - 1, RegionLayout.ZoneAlignment,
            rack.Fixture.Layout.FramesOffset - 1, rack.Fixture.Layout.FramesOffset, RegionFixture.SizeBytes - 1,
            .. Enumerable.Range(0, 60).Select(_ => random.NextInt64(RegionFixture.SizeBytes)),
        ];
        foreach (var length in lengths.OrderDescending())
        {
            using (var file = File.OpenWrite(rack.Fixture.Path)) file.SetLength(length);
            for (var role = 0; role < 3; role++) Assert.IsType<RegionDamagedException>(Bounded.Refusal($"{length} bytes as {role}", () => rack.Open(role)));
            Assert.Single(RegionInspector.Check(rack.Fixture.Path).Findings);
            Assert.IsType<RegionDamagedException>(Bounded.Refusal($"start on {length} bytes", rack.Start));
        }
    }

    [Theory]
    [InlineData("states", 70)]
    [InlineData("links", 40)]
    [InlineData("page table", 90)]
    [InlineData("hit table", 60)]
    [InlineData("frame table", 90)]
    [InlineData("sessions", 60)]
    [InlineData("counters", 20)]
    public void DamageInATableIsRefusedOrRepairedByADaemonThatThenServes(string table, int rounds) => DamageTable(table, rounds, Seed);

    [Theory]
    [Trait("Tier", "long")]
    [InlineData("states")]
    [InlineData("links")]
    [InlineData("page table")]
    [InlineData("hit table")]
    [InlineData("frame table")]
    [InlineData("sessions")]
    [InlineData("counters")]
    public void ManyMoreDamagesAreRefusedOrRepairedToo(string table) => DamageTable(table, 3000, Environment.TickCount);

    /// <summary>One in use of each table.</summary>
    public static TheoryData<string> Records() => ["state header", "link record", "page-table entry", "hit word", "frame row", "session record", "guard slot"];

    [Theory]
    [MemberData(nameof(Records))]
    public void ABitFlippedInARecordInUseIsFoundByTheCheckOrTheDaemonServes(string record) => SweepRecord(record, 7, Seed);

    [Theory]
    [Trait("Tier", "long")]
    [MemberData(nameof(Records))]
    public void SoItIsInEveryByteOfTheRecord(string record) => SweepRecord(record, 1, Environment.TickCount);

    /// <summary>Rows have no checksum. What shows a flipped bit is that something else contradicts it; where nothing does, the bit has no meaning or cannot be told.</summary>
    [Fact]
    public void EveryFlippedBitOfAResidentRowThatBreaksAnInvariantIsFoundByTheCheck()
    {
        using var rack = new DamagedRack();
        var row = rack.Fixture.Layout.FrameTableOffset + 5 * FrameRow.SizeBytes;
        var silent = new SortedSet<int>();
        for (var bit = 0; bit < FrameRow.SizeBytes * 8; bit++)
        {
            rack.Fixture.Flip(row + bit / 8, (byte)(1 << (bit % 8)));
            if (RegionInspector.Check(rack.Fixture.Path).Findings.Count == 0) silent.Add(bit);
            rack.Fixture.Flip(row + bit / 8, (byte)(1 << (bit % 8)));
        }

        // Flags that a row may have; the epoch above the bits that its entry repeats; the move, which a settled row has none of; session and request, which may be any.
        int[] flags = [3, 4];
        Assert.All(silent, bit => Assert.True(
            flags.Contains(bit) || bit is >= FrameRow.EpochShift + Epoch.LowBits and < 64 || bit / 64 is 2 or 3 or 5 or 6 || bit is >= 4 * 64 and < 4 * 64 + 12, $"bit {bit} is silent"));
    }

    [Fact]
    public void ARowTurnedIntoAnotherStateOfAPageThatIsHereTwiceEndsTheStart()
    {
        using var rack = new DamagedRack();
        // Frame 6 claims page 5, on its way in: a page that is resident in frame 5.
        var words = rack.Fixture.Read(rack.Fixture.Layout.FrameTableOffset + 5 * FrameRow.SizeBytes, FrameRow.SizeBytes);
        BinaryPrimitives.WriteUInt64LittleEndian(words, (ulong)RowState.Incoming | (1UL << FrameRow.EpochShift));
        BinaryPrimitives.WriteUInt64LittleEndian(words.AsSpan(24), 1);
        BinaryPrimitives.WriteUInt64LittleEndian(words.AsSpan(32), 3);
        rack.Fixture.Write(rack.Fixture.Layout.FrameTableOffset + 6 * FrameRow.SizeBytes, words);
        var refusal = Assert.IsType<RegionDamagedException>(Bounded.Refusal("start", rack.Start));
        Assert.Contains("two rows", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void AnEntryThatContradictsItsRowIsCountedAtTheStart()
    {
        using var rack = new DamagedRack();
        rack.Fixture.Flip(rack.Fixture.Layout.FrameTableOffset + 5 * FrameRow.SizeBytes, 1);
        using var daemon = rack.Fixture.StartDaemon();
        Assert.Equal(1, daemon.Found.Contradicted);
    }

    [Theory]
    [InlineData(nameof(SessionHeader.SlotsUsed))]
    [InlineData(nameof(SessionHeader.ProcessId))]
    [InlineData(nameof(SessionHeader.UsesFence))]
    public void AFreeSessionRecordThatSaysSomethingIsMadeCleanAtTheStart(string field)
    {
        using var rack = new DamagedRack();
        var layout = rack.Fixture.Layout;
        var record = layout.SessionsOffset + 3 * layout.SessionBytes;
        rack.Fixture.Write(record + Marshal.OffsetOf<SessionHeader>(field).ToInt64(), [0, 0, 0, 0x40]);
        rack.Fixture.Write(record + RegionLayout.SessionHeaderBytes, [1, 2, 3, 4, 5, 6, 7, 8]);
        rack.Start();
        Assert.Empty(rack.NotesAfterStart);
        Assert.All(rack.Fixture.Read(record, (int)layout.SessionBytes), b => Assert.Equal(0, b));
    }

    [Fact]
    public void ASessionRecordThatNamesAGroupOfProcessesIsNotTakenForAlive()
    {
        using var fixture = new RegionFixture();
        foreach (var processId in (uint[])[0, uint.MaxValue, 1u << 31])
        {
            using (var daemon = fixture.StartDaemon())
            {
                var record = daemon.Sessions.TryAllocate(processId)!;
                File.Delete(record.LockPath);
            }

            using var next = fixture.StartDaemon();
            Assert.Single(next.Sessions.FindDead());
            Assert.Equal(1, next.Sessions.ReclaimDead());
        }
    }

    [Fact]
    public void TheCheckOfARegionThatIsDamagedAllOverIsShort()
    {
        using var rack = new DamagedRack();
        var junk = new byte[(int)(rack.Fixture.Layout.FrameCount * FrameRow.SizeBytes)];
        new Random(Seed).NextBytes(junk);
        rack.Fixture.Write(rack.Fixture.Layout.FrameTableOffset, junk);
        var findings = RegionInspector.Check(rack.Fixture.Path).Findings;
        Assert.InRange(findings.Count, 50, 101);
        Assert.Matches("^… and [0-9]+ more\\.$", findings[^1]);
    }

    private static void DamageTable(string table, int rounds, int seed)
    {
        using var rack = new DamagedRack();
        var (offset, bytes) = rack.Table(table);
        var random = new Random(seed);
        for (var round = 0; round < rounds; round++)
        {
            var what = $"{table}, seed {seed}, round {round}";
            rack.Damage(offset, bytes, random);
            Bounded.Refusal($"inspecting, {what}", () => RegionInspector.Inspect(rack.Fixture.Path));
            Bounded.Refusal($"checking, {what}", () => RegionInspector.Check(rack.Fixture.Path));
            Bounded.Refusal($"starting, {what}", rack.Start);
            // Whatever a start repaired, the next one finds nothing to repair any more.
            if (Bounded.Refusal($"starting again, {what}", rack.Start) is null)
                Assert.True(rack.NotesAfterStart.Count == 0, $"{what}: {string.Join(' ', rack.NotesAfterStart)}");
            rack.Restore();
        }
    }

    /// <summary>One random bit in every so many bytes of a record, one at a time.</summary>
    private static void SweepRecord(string record, int stride, int seed)
    {
        using var rack = new DamagedRack();
        var (offset, bytes) = rack.UsedRecord(record);
        var random = new Random(seed);
        for (var at = 0; at < bytes; at += stride)
        {
            if (record == "guard slot") rack.LeaveGuard();
            var mask = (byte)(1 << random.Next(8));
            var what = $"{record}, seed {seed}, byte {at} ^{mask:x2}";
            rack.Fixture.Flip(offset + at, mask);
            IReadOnlyList<string> findings = [];
            Assert.Null(Bounded.Refusal($"checking, {what}", () => findings = RegionInspector.Check(rack.Fixture.Path).Findings));
            // What is found may be refused or repaired; what is not must do no harm.
            var refusal = Bounded.Refusal($"serving, {what}", findings.Count > 0 ? rack.Start : () => rack.Serve(both: record != "frame row"));
            Assert.True(findings.Count > 0 || refusal is null, $"{what}: not found, and then: {refusal?.Message}");
            rack.Restore();
        }
    }

    private static void Distort(byte[] block, Random random)
    {
        var field = 48 + 8 * random.Next(15);
        var value = BinaryPrimitives.ReadInt64LittleEndian(block.AsSpan(field));
        long[] wild =
        [
            0, -1, 1, value + 1, value - 1, value * 2, value / 2, -value, long.MaxValue, long.MinValue, int.MaxValue, 1L << random.Next(63),
            value ^ (1L << random.Next(63)), random.NextInt64(), value + RegionLayout.ZoneAlignment, value + 4096,
        ];
        BinaryPrimitives.WriteInt64LittleEndian(block.AsSpan(field), wild[random.Next(wild.Length)]);
        if (random.Next(10) == 0) block[random.Next(8, 48)] ^= (byte)(1 << random.Next(8));
    }
}
