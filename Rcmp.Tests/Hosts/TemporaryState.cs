[assembly: AssemblyFixture(typeof(Rcmp.Tests.Hosts.TemporaryState))]

namespace Rcmp.Tests.Hosts;

/// <summary>Where <c>up</c> remembers its clusters: not among those of the user who runs the tests.</summary>
public sealed class TemporaryState : IDisposable
{
    public const string Variable = "XDG_STATE_HOME";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("rcmp-test-state-");

    public TemporaryState() => Environment.SetEnvironmentVariable(Variable, _folder.FullName);

    public void Dispose() => _folder.Delete(true);
}
