using Rcmp.Hosts.Chaos;
using Rcmp.Hosts.Cli;

namespace Rcmp.Tests.Processes;

[Collection(ProcessCollection.Name)]
public sealed class ChaosTests
{
    [Fact]
    public async Task NothingIsLostWhileProcessesAreKilledAndStopped()
    {
        var (result, seen) = await new ChaosRun(new ChaosOptions { Duration = Duration.Seconds(30), Seed = 28 }, TestContext.Current.SendDiagnosticMessage)
            .RunAsync(TestContext.Current.CancellationToken);
        Assert.True(result.Ok, string.Join('\n', [$"seed {result.Seed}, {result.Lost} lost", .. result.Findings]));
        Assert.True(result.AcknowledgedWrites > 1000, $"only {result.AcknowledgedWrites} writes were acknowledged");
        Assert.Contains(seen, s => s.Fault.Kind == FaultKind.KillRack);
        Assert.Contains(seen, s => s.Fault.Kind is FaultKind.KillClient or FaultKind.StopClient);
    }
}
