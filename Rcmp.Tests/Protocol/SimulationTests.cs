using Rcmp.Hosts.Simulation;
using Rcmp.Protocol;

namespace Rcmp.Tests.Protocol;

public class SimulationTests(ITestOutputHelper output)
{
    private const int Seeds = 3000;
    private const int SeedsPerMutation = 6000;
    private const int MutantSteps = 2500;

    [Fact]
    public void NoSeedBreaksARule()
    {
        var found = SimSearch.Run(new SimOptions(1, Steps: 1500), Seeds, CancellationToken.None);
        output.WriteLine(string.Join(' ', found.Faults.Counts.Select(count => $"{count.Key} {count.Value}")));
        output.WriteLine($"{found.Seeds} seeds, {found.Steps} steps, {found.StepsPerSecond:0} a second, {found.Operations} operations, {found.Moves} moves");
        Assert.True(found.Violations.Count == 0, found.Violations.Count == 0 ? "" : $"seed {found.Violations[0].Seed}: {found.Violations[0].Violation}");
        Assert.True(found.Moves > found.Seeds, "pages move");
        Assert.True(found.Operations > 20 * found.Seeds, "clients get through");
        foreach (var fault in (string[])
        [
            "daemonKills", "daemonCrashesBetweenWrites", "daemonPauses", "actorSystemRestarts", "clientKills", "clientPauses", "sessionsClosed", "shardRestarts", "shardTwins",
            "masterKills", "partitions", "oneWayPartitions", "isolations", "messagesLost", "messagesRepeated", "messagesDelayed", "drains", "forgottenRacks", "sequenceWraps",
            "racksFull", "evictions",
        ])
        {
            Assert.True(found.Faults.Counts.GetValueOrDefault(fault) > Seeds / 50, $"{fault}: {found.Faults.Counts.GetValueOrDefault(fault)}");
        }
    }

    /// <summary>Rare enough that thousands of other seeds do not come near.</summary>
    [Theory]
    [InlineData(200032733)]
    public void ASeedThatBrokeARuleDoesSoNoMore(ulong seed)
    {
        var result = SimResult.Of(new SimOptions(seed));
        Assert.True(result.Violation is null, result.Violation);
    }

    public static TheoryData<string> Rules => [.. Enum.GetNames<ProtocolMutation>().Where(n => n != nameof(ProtocolMutation.None))];

    [Theory]
    [MemberData(nameof(Rules))]
    public void TheSimulationNoticesARuleThatIsLeftOut(string rule)
    {
        var found = SimSearch.Run(new SimOptions(1, Steps: MutantSteps, Mutation: Enum.Parse<ProtocolMutation>(rule)), SeedsPerMutation, CancellationToken.None);
        Assert.True(found.Violations.Count > 0, $"{SeedsPerMutation} seeds without {rule}, and nothing was noticed.");
        output.WriteLine($"{rule}: seed {found.Violations[0].Seed}, {found.Steps} steps: {found.Violations[0].Violation}");
    }

    [Fact]
    public void ASeedDoesTheSameEveryTime()
    {
        var options = new SimOptions(11, Steps: 1500, Trace: true);
        var first = SimResult.Of(options);
        var second = SimResult.Of(options);
        Assert.Equal(first.Trace, second.Trace);
        Assert.Equal(first.Steps, second.Steps);
    }

    [Fact]
    public void AWholeScheduleReplaysTheSeedAndAShortenedOneStillBreaksARule()
    {
        var options = new SimOptions(1, Mutation: ProtocolMutation.SkipQuiesce);
        var first = SimSearch.Run(options, 100, CancellationToken.None).Violations[0];
        options = options with { Seed = first.Seed };
        var replayed = SimResult.Of(options, new SimSchedule(first.Schedule.Made.Select(m => m.Choice).ToHashSet()));
        Assert.Equal((first.Violation, first.Steps), (replayed.Violation, replayed.Steps));
        var shortest = SimShrinker.Shrink(options, 3000);
        Assert.NotNull(shortest.Violation);
        Assert.True(shortest.Schedule.Made.Count < first.Schedule.Made.Count);
    }
}
