using Rcmp.Hosts.Chaos;
using Rcmp.Hosts.Cli;
using Rcmp.Hosts.Local;

namespace Rcmp.Tests.Processes;

[Collection(ProcessCollection.Name)]
public sealed class ChaosTests
{
    private const int MovesMin = 100;

    /// <summary>Where links cannot be cut, the rest is tested.</summary>
    [Fact]
    public async Task NothingIsLostWhileProcessesAreKilledAndStoppedAndLinksAreCut()
    {
        if (LinkNamespace.Problem is null && await PrivateNetwork.RanInsideAsync(GetType(), nameof(NothingIsLostWhileProcessesAreKilledAndStoppedAndLinksAreCut))) return;
        var options = new ChaosOptions { Duration = Duration.Seconds(60), Seed = 176, CutsLinks = PrivateNetwork.IsInside };
        var (result, seen) = await new ChaosRun(options, TestContext.Current.SendDiagnosticMessage).RunAsync(TestContext.Current.CancellationToken);
        Assert.True(result.Ok, string.Join('\n', [$"seed {result.Seed}, {result.Lost} lost", .. result.Findings]));
        Assert.True(result.AcknowledgedWrites > 1000, $"only {result.AcknowledgedWrites} writes were acknowledged");
        Assert.True(result.Moves > MovesMin, $"only {result.Moves} pages moved because a client asked for them");
        Assert.Contains(seen, s => s.Fault.Kind is FaultKind.KillRack or FaultKind.StopRack);
        Assert.Contains(seen, s => s.Fault.Kind is FaultKind.KillClient or FaultKind.StopClient);
        if (!options.CutsLinks) return;
        // Without links the seed gives other faults.
        Assert.Contains(seen, s => Fault.IsOfLinks(s.Fault.Kind));
        Assert.Contains(seen, s => s.Fault.Kind == FaultKind.KillMasters);
    }
}
