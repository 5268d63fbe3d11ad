namespace Rcmp.DataPath;

/// <summary>What the current thread has done in all clients: lets a measurement tell a rack hit from Direct IO without asking for the sums of all threads.</summary>
internal static class ThreadActivity
{
    [ThreadStatic]
    private static long t_remoteOperations;

    public static long RemoteOperations => t_remoteOperations;

    public static void CountRemote(int count) => t_remoteOperations += count;
}
