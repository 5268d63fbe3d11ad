using Xunit.Runner.InProc.SystemConsole;

namespace Rcmp.Tests.Workers;

/// <summary>The test executable: xunit's runner, or, started by a test, a client process to be killed, stopped and counted on.</summary>
public static class TestProgram
{
    public static Task<int> Main(string[] args)
    {
        ArgumentNullException.ThrowIfNull(args);
        return args is [WorkerProtocol.Switch, var configuration] ? Worker.RunAsync(configuration) : ConsoleRunner.Run(args);
    }
}
