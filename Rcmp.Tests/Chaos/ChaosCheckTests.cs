using Rcmp.Hosts.Chaos;

namespace Rcmp.Tests.Chaos;

/// <summary>The check at the end of a chaos run must be able to fail.</summary>
public sealed class ChaosCheckTests
{
    [Fact]
    public void AnAcknowledgedWriteThatIsThereIsGood() => Expect(Record(5), 5, lost: 0, late: 0, findings: 0);

    [Fact]
    public void AnAcknowledgedWriteThatIsNotThereIsLost()
    {
        Expect(Record(5), 4, lost: 1, late: 0, findings: 1);
        Expect(Record(5), 0, lost: 1, late: 0, findings: 1);
        Expect(Record(5, 3), 4, lost: 1, late: 0, findings: 1);
    }

    [Fact]
    public void AWriteOfUnknownOutcomeMayBeThereOrNot()
    {
        Expect(Record(5, 6), 5, lost: 0, late: 0, findings: 0);
        Expect(Record(5, 6), 6, lost: 0, late: 0, findings: 0);
        Expect(Record(5, 4), 4, lost: 0, late: 1, findings: 0);
    }

    [Fact]
    public void AWriteThatWasRefusedOrNeverMadeMustNotBeThere()
    {
        Expect(Record(5) with { Newest = 7 }, 6, lost: 0, late: 0, findings: 1);
        Expect(Record(5), 6, lost: 0, late: 0, findings: 1);
        var other = ChaosCheck.Run([(0, 1, Record(5), ChaosStamp.Of(1, 1, 5)), (0, 1, Record(5), ChaosStamp.Of(0, 2, 5))], []);
        Assert.Equal(2, other.Findings.Count);
    }

    [Theory]
    [InlineData(10, 0, 0)]
    [InlineData(12, 0, 0)]
    [InlineData(9, 1, 1)]
    [InlineData(13, 0, 1)]
    public void ACounterLiesBetweenWhatWasAcknowledgedAndWhatMayHaveHappened(int value, int lost, int findings)
    {
        // Ten were acknowledged, two have an unknown outcome, three were refused.
        CounterRecord[] records = [new(8, 6, 1), new(7, 4, 2)];
        var result = ChaosCheck.Run([], [(0, records, (ulong)value)]);
        Assert.Equal((lost, findings), ((int)result.Lost, result.Findings.Count));
    }

    [Fact]
    public void AJournalIsCompleteAtWhateverStepItsProcessIsKilled()
    {
        var path = Path.Combine(Path.GetTempPath(), $"rcmp-test-{Guid.NewGuid():n}.journal");
        try
        {
            using (var journal = new ChaosJournal(path))
            {
                journal.BeginWrite(3);
                journal.WriteAcknowledged(3);
                journal.BeginWrite(3);
                journal.BeginAdd(2);
            }
            using var after = new ChaosJournal(path);
            // Under way when it was killed.
            Assert.Equal([2L], after.ReadRegister(3).Unknown);
            after.TakeUp();
            Assert.Equal([2L], after.ReadRegister(3).Unknown);
            Assert.Equal(1, after.ReadRegister(3).Acknowledged);
            Assert.Equal(3, after.BeginWrite(3));
            after.WriteRefused(3);
            Assert.Equal([2L], after.ReadRegister(3).Unknown);
            Assert.Equal(1, after.ReadCounter(2).Unknown);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void ASeedGivesTheSameFaultsAgain()
    {
        Assert.Equal(Faults(7), Faults(7));
        Assert.NotEqual(Faults(7), Faults(8));
        Assert.Equal(Enum.GetValues<FaultKind>().Length, Faults(7).Select(f => f.Kind).Distinct().Count());

        static List<Fault> Faults(ulong seed)
        {
            var plan = new FaultPlan(seed, 2, 3, 3, true);
            return [.. Enumerable.Range(0, 100).SelectMany(_ => new[] { plan.NextForNodes(), plan.NextForClients() })];
        }
    }

    private static RegisterRecord Record(long acknowledged, params long[] unknown) => new(acknowledged, Math.Max(acknowledged, unknown.DefaultIfEmpty().Max()), unknown, false);

    private static void Expect(RegisterRecord record, long value, int lost, int late, int findings)
    {
        var result = ChaosCheck.Run([(0, 1, record, value == 0 ? 0 : ChaosStamp.Of(0, 1, value))], []);
        Assert.Equal((lost, late, findings), ((int)result.Lost, (int)result.Late, result.Findings.Count));
    }
}
